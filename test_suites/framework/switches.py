"""Benches of other instruments than the built-in one has, for several test modules."""

import dataclasses

from hil.bench import AidEntry, InstrumentEntry
from hil_fixtures.config import read_bench, read_device

PROFILE, BUILT_IN = read_device(None), read_bench(None)

RIGOL = ("rigol-ds1000z", "RIGOL TECHNOLOGIES", "DS1104Z")
INFINIIVISION = ("keysight-infiniivision", "KEYSIGHT TECHNOLOGIES", "DSO-X 3024T")
SIGLENT = ("siglent-sds1000xe", "Siglent Technologies", "SDS1104X-E")
E36312A = ("keysight-e36300", "Keysight Technologies", "E36312A")
DAQ970A = ("keysight-34970a", "Keysight Technologies", "DAQ970A")
K7001 = ("keithley-7001", "KEITHLEY INSTRUMENTS INC.", "MODEL 7001")
RELAYS = ("relay-module", "ICP DAS", "I-7060")


def bench(**changes):
    """The built-in bench with other instruments: role to driver, manufacturer, model."""
    entries, aids = dict(BUILT_IN.instruments), dict(BUILT_IN.aids)
    for role, (driver, maker, model) in changes.items():
        if role not in entries:
            resource = f"TCPIP0::SIM-{role.upper().replace('_', '-')}::inst0::INSTR"
            entry = InstrumentEntry(role, driver, resource, maker, model)
            aids[role] = AidEntry(role, "instrument", instrument=entry)
            continue
        entries[role] = dataclasses.replace(
            entries[role], driver=driver, manufacturer=maker, model=model
        )
        if driver == "relay-module":  # it is on a serial line, or a socket: a stream of bytes
            stream = entries[role].resource.replace("inst0::INSTR", "5025::SOCKET")
            entries[role] = dataclasses.replace(entries[role], resource=stream)
    return dataclasses.replace(BUILT_IN, instruments=entries, aids=aids)


KEYSIGHT = bench(oscilloscope=INFINIIVISION, supply=E36312A, load=DAQ970A)
MIXED = bench(oscilloscope=SIGLENT, load=K7001, cutoff=RELAYS)
