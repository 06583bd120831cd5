"""Calibration, age and air reach the uncertainty of what is judged, and what they do not cover."""

import dataclasses
import math
import re
from datetime import date
from types import SimpleNamespace

import pytest

from hil import bench, feasibility
from hil.bench import AidEntry
from hil.calibration import Band, Circumstances, Specification, Term, accuracy, footing, holding
from hil.capture import Accuracy
from hil.errors import ConfigurationError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.resistor import known_resistance
from hil_fixtures import foresight
from hil_fixtures.config import read_bench, read_device, read_setup, starter
from hil_fixtures.config.bench import check_dates
from hil_fixtures.foresight import foresee
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station
from hil_instruments.drivers import specification

DAY = date(2026, 2, 10)
SHEET = Specification("10 mA", 5e-4, 2e-6, "sheet", gain_per_kelvin=2e-5, offset_per_kelvin=2e-7)
TABLE = """
certificate = "K-1"
calibrated = 2026-02-10
interval = "12 months"

[instruments.ammeter.accuracy]
source = "certificate K-1 of a laboratory"
coverage = 2.0
band = ["22 degC", "24 degC"]

[[instruments.ammeter.accuracy.range]]
range = "10 mA"
term = "90 d"
reading = "0.02 %"
absolute = "0.4 uA"
resolution = "10 nA"
reading_per_kelvin = "20 ppm"
of_range_per_kelvin = "20 ppm"

[[instruments.ammeter.accuracy.range]]
range = "10 mA"
term = "1 y"
reading = "0.04 %"
of_range = "0.01 %"
"""


# --- terms and ages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "day", "last"),
    [
        ("24 h", DAY, date(2026, 2, 11)),
        ("90 d", DAY, date(2026, 5, 11)),
        ("12 months", DAY, date(2027, 2, 10)),
        ("1 y", date(2028, 2, 29), date(2029, 2, 28)),
        ("1 month", date(2026, 1, 31), date(2026, 2, 28)),
        ("11 months", date(2026, 12, 1), date(2027, 11, 1)),
    ],
)
def test_a_term_ends_on_a_day(text, day, last):
    assert Term.parse(text).after(day) == last


@pytest.mark.parametrize("text", ["", "1", "12 h", "0 d", "-1 y", "1.5 y", "one year", "9999 y"])
def test_what_is_no_term_is_refused(text):
    with pytest.raises(UsageError):
        Term.parse(text).after(DAY)


def at_age(days, *terms):
    under = Circumstances(DAY, date.fromordinal(DAY.toordinal() + days))
    chosen = holding([dataclasses.replace(SHEET, term=Term.parse(each)) for each in terms], under)
    return str(chosen.term), accuracy("m", chosen, under).standing


@pytest.mark.parametrize(
    ("days", "term", "standing"),
    [
        (0, "24 h", Calibration.VALID),
        (1, "24 h", Calibration.VALID),
        (2, "90 d", Calibration.VALID),
        (90, "90 d", Calibration.VALID),
        (91, "1 y", Calibration.VALID),
        (365, "1 y", Calibration.VALID),
        (366, "1 y", Calibration.AGED),
    ],
)
def test_the_youngest_specification_that_still_holds_counts(days, term, standing):
    assert at_age(days, "1 y", "24 h", "90 d") == (term, standing)


def test_of_an_unknown_age_the_widest_term_counts():
    many = [dataclasses.replace(SHEET, term=Term.parse(each)) for each in ("24 h", "1 y")]
    assert str(holding(many, Circumstances()).term) == "1 y"


# --- air ------------------------------------------------------------------------------------------


def in_air(coldest, warmest, sheet=SHEET):
    return accuracy("m", sheet, Circumstances(air=Band(coldest, warmest)))


@pytest.mark.parametrize(
    ("coldest", "warmest", "kelvin"), [(18, 28, 0), (20, 31, 3), (14, 29, 4), (30, 35, 7)]
)
def test_each_kelvin_beyond_the_band_widens_the_limits(coldest, warmest, kelvin):
    found = in_air(coldest, warmest)
    gain, offset = 5e-4 + 2e-5 * kelvin, 2e-6 + 2e-7 * kelvin
    assert found.limit(4e-3) == pytest.approx(gain * 4e-3 + offset)
    causes = (5e-4 * 4e-3, 2e-6, 2e-5 * kelvin * 4e-3, 2e-7 * kelvin)
    u = math.hypot(*(part.contribution for part in found.components(4e-3)))
    assert u == pytest.approx(math.hypot(*causes) / math.sqrt(3))
    assert found.standing is Calibration.VALID


def test_air_of_which_no_coefficient_is_told_is_not_covered():
    untold = dataclasses.replace(SHEET, gain_per_kelvin=None, offset_per_kelvin=0.0)
    assert in_air(20, 31, untold).standing is Calibration.OUTSIDE
    assert in_air(20, 28, untold).standing is Calibration.VALID


def test_budgets_hold_in_the_air_that_they_count():
    under = Circumstances(DAY, DAY, Band(20.0, 31.0))
    narrow = dataclasses.replace(SHEET, band=Band(22.0, 24.0), term=Term.parse("90 d"))
    found = footing([SHEET, narrow], under)
    assert (found.band, found.until) == (Band(20.0, 31.0), date(2026, 5, 11))
    assert footing([SHEET], Circumstances()).until is None


# --- coverage and the last digit ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coverage", "divisor", "widened"), [(None, math.sqrt(3), 1.0), (2.0, 2.0, 1.0), (1.0, 1.0, 2)]
)
def test_the_sheet_says_what_its_figures_are_divided_by(coverage, divisor, widened):
    found = Accuracy("m", 5e-4, 2e-6, "sheet", coverage=coverage)
    gain, offset = found.components(4e-3)
    assert (gain.stated, offset.stated) == pytest.approx((5e-4, 2e-6))
    assert (gain.u, offset.u) == pytest.approx((5e-4 / divisor, 2e-6 / divisor))
    assert gain.divisor == offset.divisor == divisor
    assert found.limit(-4e-3) == pytest.approx(widened * 4e-6)  # never below 2 u


def test_two_readings_share_their_gain_and_not_their_last_digit():
    found = Accuracy("m", 5e-4, 2e-6, "sheet", resolution=1e-6)
    first, second = found.components(1e-3, "first"), found.components(1e-3, "second")
    shared = {part.id for part in first} & {part.id for part in second}
    assert shared == {"m.gain", "m.offset"}
    assert first[-1].u == pytest.approx(0.5e-6 / math.sqrt(3))
    assert found.limit(0.0) == pytest.approx(2.5e-6)


# --- bench files ----------------------------------------------------------------------------------


def written(path, table=TABLE, *edits, end=""):
    text = starter("bench")
    for old, new in (('model = "34465A"', f'model = "34465A"{table}'), *edits):
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text + end, encoding="utf-8")
    return path


def test_a_table_of_the_bench_file_replaces_the_data_sheet(tmp_path):
    entry = read_bench(written(tmp_path / "b.toml")).instruments["ammeter"]
    assert (entry.calibrated, entry.due) == (DAY, date(2027, 2, 10))
    used = dataclasses.replace(entry, circumstances=Circumstances(DAY, date(2026, 3, 1)))
    paths = {p.range: p for p in specification.meter_paths(used, Dimension.CURRENT, 0.0, 2000.0)}
    own, sheet = paths["10 mA"].accuracy, paths["1 mA"].accuracy
    assert (own.gain, own.offset, own.resolution) == pytest.approx((2e-4, 4e-7, 1e-8))
    assert (own.source, own.coverage) == ("certificate K-1 of a laboratory", 2.0)
    assert sheet.source.startswith("34465A data sheet")
    later = dataclasses.replace(entry, circumstances=Circumstances(DAY, date(2026, 6, 1)))
    paths = {p.range: p for p in specification.meter_paths(later, Dimension.CURRENT, 0.0, 2000.0)}
    assert paths["10 mA"].accuracy.line == pytest.approx((4e-4, 1e-6))


ROW = '[[instruments.ammeter.accuracy.range]]\nrange = "10 mA"\n'


@pytest.mark.parametrize(
    ("edit", "key", "said"),
    [
        (('"10 mA"', '"10 MA"'), "range[1].range", "did you mean"),
        (('"10 mA"', '"3 A"'), "range[1].range", "keysight-34465a has: 100 uA"),
        (('"10 mA"', '"10 V"'), "range[1]", "a voltage with its unit belongs here"),
        (('reading = "0.02 %"', 'reading = "-0.02 %"'), "range[1].reading", "allowed: 0 % to 10 %"),
        (('reading = "0.02 %"', 'reading = "0.02"'), "range[1].reading", "a ratio with its unit"),
        (('reading = "0.02 %"', "reading = 0.02"), "range[1].reading", "no text in quotes"),
        (('"0.4 uA"', '"0.4 uV"'), "range[1]", "is a voltage; a current"),
        (('"0.4 uA"', '"4 mA"'), "range[1]", "up to a tenth of the range"),
        (('"0.4 uA"', '"-0.4 uA"'), "range[1]", "above 0"),
        (('resolution = "10 nA"', 'resolution = "0 nA"'), "range[1]", "above 0"),
        (('reading = "0.02 %"\nabsolute = "0.4 uA"\n', ""), "range[1]", "limits of error of 0"),
        (('"0.4 uA"', '"0.4 uA"\nof_range = "1 %"'), "range[1]", "told twice"),
        (('reading_per_kelvin = "20 ppm"\n', ""), "range[1]", "reading_per_kelvin is missing"),
        (('"90 d"', '"1 y"'), "range[1].term", "two rows"),
        (('"90 d"', '"a while"'), "range[1]", "is no term"),
        (("coverage = 2.0", "coverage = 0.5"), "coverage", "at least 1"),
        (("coverage = 2.0", 'coverage = "95 %"'), "coverage", "limits"),
        (('["22 degC", "24 degC"]', '["24 degC", "22 degC"]'), "", "lies above"),
        (('["22 degC", "24 degC"]', '["22 V", "24 V"]'), "band[1]", "is a voltage"),
        (('source = "certificate K-1 of a laboratory"\n', ""), "source", "missing"),
    ],
)
def test_a_table_that_says_nothing_or_too_much_is_refused(tmp_path, edit, key, said):
    with pytest.raises(ConfigurationError) as caught:
        read_bench(written(tmp_path / "b.toml", TABLE.replace(*edit)))
    where = f"instruments.ammeter.accuracy.{key}".rstrip(".")
    found = [line for line in str(caught.value).split("\n") if f": {where}" in line]
    assert found, str(caught.value)
    assert any(said in line for line in found), found


RECORD = '\ncertificate = "K-1"\ncalibrated = 2026-02-10\ndue = 2027-02-10\n'


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (RECORD.replace("due = 2027-02-10", 'interval = "12 months"'), ""),
        (RECORD + 'interval = "12 months"\n', ""),
        (RECORD + 'interval = "1 y"\n', ""),
        (RECORD + 'interval = "6 months"\n', "end on 2026-08-10, due says 2027-02-10"),
        (RECORD + 'interval = "for ever"\n', "is no term"),
        (RECORD.replace("calibrated = 2026-02-10", 'interval = "1 y"'), "counts from calibrated"),
        (RECORD.replace("due = 2027-02-10", "due = 2026-02-09"), "lies before calibrated"),
        (RECORD.replace("due = 2027-02-10", ""), "belong together"),
        (RECORD.replace("calibrated = 2026-02-10", ""), "belong together"),
        (RECORD.replace('certificate = "K-1"', ""), "belong together"),
        (RECORD.replace("= 2026-02-10", '= "2026-02-10"'), "a date without quotes"),
        (RECORD.replace("= 2026-02-10", "= 2026-02-10T12:00:00"), "a date without"),
    ],
)
def test_the_record_of_a_calibration_is_whole_and_agrees_with_itself(tmp_path, record, said):
    path = written(tmp_path / "b.toml", record)
    if not said:
        assert read_bench(path).instruments["ammeter"].due == date(2027, 2, 10)
        return
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        read_bench(path)


def test_a_calibration_yet_to_come_is_refused(tmp_path):
    found = read_bench(written(tmp_path / "b.toml", RECORD))
    check_dates(found, "b.toml", DAY)
    with pytest.raises(ConfigurationError, match=r"b.toml:\d+: instruments.ammeter.calibrated: 20"):
        check_dates(found, "b.toml", date(2026, 2, 9))
    with pytest.raises(ConfigurationError, match="lies in the future"):
        open_station(PROFILE, found, today=date(2026, 2, 9))


@pytest.mark.parametrize("role", ["oscilloscope", "load"])
def test_a_table_belongs_to_a_meter(tmp_path, role):
    table = TABLE.partition("\n\n")[2].replace("instruments.ammeter", f"instruments.{role}")
    with pytest.raises(ConfigurationError, match="only ammeter and voltmeter have budgets"):
        read_bench(written(tmp_path / "b.toml", "", end=table))


def test_a_model_without_a_data_sheet_needs_a_table(tmp_path):
    other = ('model = "34465A"', 'model = "34470A"')
    with pytest.raises(ConfigurationError, match="limits of error of 34465A only"):
        read_bench(written(tmp_path / "b.toml", "", other))
    assert read_bench(written(tmp_path / "b.toml", TABLE, other))


NO_THERMOMETER = ("[aids.thermometer]", "[aids.operator]")


@pytest.mark.parametrize(
    ("air", "said"),
    [
        ('least = "20 degC"\nmost = "26 degC"', ""),
        ('least = "26 degC"\nmost = "20 degC"', "must not lie above"),
        ('least = "20 V"\nmost = "26 degC"', "is a voltage"),
        ('least = "20 degC"\nmost = "300 degC"', "makes no sense"),
        ("least = 20\nmost = 26", "no text in quotes"),
    ],
)
def test_declared_air_is_a_pair_of_temperatures(tmp_path, air, said):
    path = written(tmp_path / "b.toml", "", NO_THERMOMETER, end=f"\n[air]\n{air}\n")
    if not said:
        assert read_bench(path).air == Band(20.0, 26.0)
        return
    with pytest.raises(ConfigurationError, match=said):
        read_bench(path)


def test_air_is_not_declared_beside_a_thermometer(tmp_path):
    air = '\n[air]\nleast = "20 degC"\nmost = "26 degC"\n'
    with pytest.raises(ConfigurationError, match="measures the air"):
        read_bench(written(tmp_path / "b.toml", "", end=air))


# --- from a bench to a capture --------------------------------------------------------------------

PROFILE, DESCRIPTION = read_device(None), read_bench(None)


def captured(description):
    """A capture of the ammeter of a bench, and its record."""
    station = open_station(PROFILE, description, today=date(2026, 6, 1))
    try:
        station.ammeter.start_recording(Dimension.CURRENT, 6e-3, 2000.0)
        station.clock.sleep(0.1)
        body = next(body for body in station.instruments if body["role"] == "ammeter")
        return station.ammeter.stop_recording(), body, station.ambient
    finally:
        station.close()


def described(**changes):
    """The built-in bench without its thermometer, with changes."""
    return dataclasses.replace(DESCRIPTION, **{"aids": {}, **changes})


def test_what_a_thermometer_reads_is_counted():
    aids = {"thermometer": AidEntry("thermometer", "simulated")}
    capture, body, ambient = captured(described(aids=aids))
    celsius, limits = float(ambient["celsius"]), float(ambient["limits"])
    assert ambient["counted"] == pytest.approx([celsius - limits - 1, celsius + limits + 1])
    assert body["air"] == [18.0, 28.0]  # within the band of the sheet: nothing is added
    assert (capture.source.accuracy.warm_gain, capture.source.accuracy.warm_offset) == (0, 0)


def test_declared_air_beyond_the_band_reaches_the_capture():
    capture, body, _ = captured(described(air=Band(20.0, 33.0)))
    found = capture.source.accuracy
    assert (found.warm_gain, found.warm_offset) == pytest.approx((5 * 2e-5, 5 * 2e-7))
    assert body["air"] == [18.0, 33.0]
    assert capture.sha256 != captured(described())[0].sha256


def test_without_either_the_band_is_assumed():
    capture, body, ambient = captured(described())
    assert (ambient["counted"], body["air"]) == ([], [18.0, 28.0])
    assert capture.source.accuracy.warm_gain == 0


@pytest.mark.parametrize(
    ("calibrated", "air", "state"),
    [
        (date(2025, 6, 1), None, Calibration.VALID),
        (date(2025, 5, 31), None, Calibration.AGED),
        (date(2025, 6, 1), Band(10.0, 20.0), Calibration.OUTSIDE),
    ],
)
def test_a_capture_tells_what_its_limits_of_error_do_not_cover(calibrated, air, state):
    alone = dataclasses.replace(SHEET, gain_per_kelvin=None, offset_per_kelvin=0.0)
    entry = dataclasses.replace(
        DESCRIPTION.instruments["ammeter"],
        calibrated=calibrated,
        due=date(2028, 1, 1),
        certificate="K",
        accuracy=(alone,),
    )
    instruments = {**DESCRIPTION.instruments, "ammeter": entry}
    capture, _, _ = captured(described(instruments=instruments, air=air))
    assert capture.source.calibration is state


# --- the shunt ------------------------------------------------------------------------------------

KNOWN = """
[shunt]
tolerance = "0.1 %"
coverage = "limits"
per_kelvin = "25 ppm"
source = "certificate R-7"
certificate = "R-7"
calibrated = 2026-02-10
interval = "1 y"
"""


def shunt(path, today, air=None, known=KNOWN, *, simulated=False):
    found = read_bench(written(path, "", end=known))
    return bench.shunt_of(bench.under(found, today, air), simulated=simulated)


def test_a_shunt_has_its_tolerance_its_air_and_its_calibration(tmp_path):
    path = tmp_path / "b.toml"
    found = shunt(path, DAY, Band(20.0, 33.0))
    assert (found.tolerance, found.per_kelvin, found.warmth) == pytest.approx((1e-3, 25e-6, 10))
    ohm = known_resistance(found)
    u = 100 * math.hypot(1e-3, 25e-6 * 10) / math.sqrt(3)
    assert (float(ohm.value), ohm.u) == (100.0, pytest.approx(u))
    assert {part.source for part in ohm.components} == {"certificate R-7"}
    days = (DAY, date(2027, 2, 9), date(2027, 2, 10))
    states = [shunt(path, day).calibration for day in days]
    assert states == [Calibration.VALID, Calibration.VALID, Calibration.EXPIRED]
    assert shunt(path, DAY, known="").calibration is Calibration.UNKNOWN
    assert shunt(path, DAY, known="", simulated=True).calibration is Calibration.VALID
    assert shunt(path, DAY, known="").tolerance == 0.01
    normal = KNOWN.replace('"limits"', "2.0").replace("25 ppm", "0 ppm")
    assert known_resistance(shunt(path, DAY, known=normal)).u == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("serial", "state"), [("SIM-1", Calibration.VALID), ("MY1", Calibration.UNKNOWN)]
)
def test_an_author_has_the_shunt_and_a_real_one_needs_its_calibration(serial, state):
    station = SimpleNamespace(description=DESCRIPTION, instruments=[{"serial": serial}])
    assert Bench.shunt.fget(SimpleNamespace(station=station)).calibration is state


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"0.1 %"', '"0 %"', "no resistor has it"),
        ('"0.1 %"', '"-0.1 %"', "allowed: 0 % to 10 %"),
        ('"0.1 %"', '"0.1 ohm"', "is a resistance; a ratio"),
        ('source = "certificate R-7"\n', "", "shunt.source: missing"),
        ('certificate = "R-7"\n', "", "belong together"),
        ('"1 y"', '"1 y"\ndue = 2027-01-01', "due says 2027-01-01"),
    ],
)
def test_a_shunt_that_is_not_known_well_enough_is_refused(tmp_path, old, new, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        shunt(tmp_path / "b.toml", DAY, known=KNOWN.replace(old, new))


def test_a_calibration_of_a_shunt_yet_to_come_is_refused(tmp_path):
    found = read_bench(written(tmp_path / "b.toml", "", end=KNOWN))
    with pytest.raises(ConfigurationError, match=r"b.toml:\d+: shunt.calibrated: .* in the future"):
        check_dates(found, "b.toml", date(2026, 2, 9))


def test_what_is_foreseen_of_an_oscilloscope_counts_its_shunt(tmp_path):
    def gain(known):
        made = read_bench(written(tmp_path / "b.toml", "", end=known))
        found = foresight.paths(bench.under(made, DAY, None), PROFILE)
        (path,) = [each for each in found if each.role == "oscilloscope"]
        return path.accuracy.gain

    assert gain("") == pytest.approx(0.01)
    assert gain(KNOWN) == pytest.approx(1e-3 + 5 * 25e-6)


# --- from a plan ----------------------------------------------------------------------------------


def test_what_is_foreseen_counts_the_air():
    (accurate,) = [each for each in read_setup(None, None).requirements if each.id == "LIM-ACC"]
    here = {
        air: feasibility.judging(foresee([accurate], described(air=air), PROFILE))[0]["u"]
        for air in (None, Band(20.0, 28.0), Band(20.0, 48.0))
    }
    first, band, warm = here.values()
    assert first == band
    assert warm > 1.5 * first


def test_what_no_longer_holds_is_foreseen_to_pass_nothing():
    (accurate,) = [each for each in read_setup(None, None).requirements if each.id == "LIM-ACC"]
    entry = dataclasses.replace(DESCRIPTION.instruments["ammeter"], calibrated=date(2020, 1, 1))
    old = described(instruments={**DESCRIPTION.instruments, "ammeter": entry})
    (row,) = feasibility.judging(foresee([accurate], old, PROFILE))
    assert row["decidable"] is None
    assert row["reason"].endswith("its calibration is older than its specification")


def test_a_bench_is_used_on_a_day_and_in_its_air():
    used = bench.under(DESCRIPTION, DAY, Band(20.0, 21.0))
    assert used.instruments["ammeter"].circumstances == Circumstances(None, DAY, Band(20.0, 21.0))
