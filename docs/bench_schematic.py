"""The circuit of the simulated bench as a schematic, in SVG text."""

from __future__ import annotations

from xml.sax.saxutils import escape

_INK, _BLUE, _GREY, _RED = "#24292f", "#1d4e89", "#8c959f", "#b3261e"
_WIDTH, _HEIGHT = 1240, 640
_TOP, _RETURN = 170, 510
"""Heights of the active and of the dispersive lead."""


class Sheet:
    """A drawing that grows part by part."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def wire(self, path: str, *, dashed: bool = False, colour: str = _INK) -> None:
        """Draw a wire along an SVG path."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}"{dash}/>')

    def text(
        self,
        x: float,
        y: float,
        *lines: str,
        anchor: str = "middle",
        colour: str = _INK,
        bold: bool = False,
    ) -> None:
        """Write lines below each other."""
        weight = ' font-weight="bold"' if bold else ""
        for place, line in enumerate(lines):
            self.parts.append(
                f'<text x="{x}" y="{y + 15 * place}" text-anchor="{anchor}" fill="{colour}"'
                f"{weight}>{escape(line)}</text>"
            )

    def node(self, x: float, y: float) -> None:
        """Join wires."""
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{_INK}"/>')

    def box(self, x: float, y: float, width: float, height: float, *lines: str) -> None:
        """Draw a block with its name."""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#f6f8fa" '
            f'stroke="{_INK}"/>'
        )
        self.text(x + width / 2, y + height / 2 + 4 - 7.5 * (len(lines) - 1), *lines)

    def resistor(self, x: float, y: float, *, upright: bool = True, colour: str = _INK) -> None:
        """Draw a resistor of 40 px, centred, over the wire."""
        width, height = (14, 40) if upright else (40, 14)
        self.parts.append(
            f'<rect x="{x - width / 2}" y="{y - height / 2}" width="{width}" height="{height}" '
            f'fill="#fff" stroke="{colour}"/>'
        )

    def capacitor(self, x: float, y: float) -> None:
        """Draw an upright capacitor, centred, over the wire."""
        self.parts.append(f'<rect x="{x - 2}" y="{y - 4}" width="4" height="8" fill="#fff"/>')
        self.wire(f"M{x - 11} {y - 4}h22M{x - 11} {y + 4}h22")

    def contact(self, x: float, y: float) -> None:
        """Draw an open contact in a level wire, 30 px from `x` on."""
        self.parts.append(f'<rect x="{x}" y="{y - 2}" width="30" height="4" fill="#fff"/>')
        self.wire(f"M{x} {y}l28 -13")
        self.node(x, y)
        self.node(x + 30, y)

    def round(self, x: float, y: float, letter: str) -> None:
        """Draw a source or an instrument."""
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="17" fill="#fff" stroke="{_INK}"/>')
        self.text(x, y + 5, letter, bold=True)

    def earth(self, x: float, y: float) -> None:
        """Draw protective earth below a wire's end."""
        self.wire(f"M{x - 12} {y}h24M{x - 8} {y + 5}h16M{x - 4} {y + 10}h8")

    def seen(self, x: float, y: float, name: str) -> None:
        """Name an observable."""
        self.text(x, y, name, colour=_BLUE)

    def svg(self) -> str:
        """Return the whole drawing."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            f'width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="Circuit of the simulated '
            'bench" font-family="Helvetica, Arial, sans-serif" font-size="12" stroke-width="1.4">'
        )
        return "\n".join(
            [
                head,
                f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
                *[part.replace("<text ", '<text stroke="none" ') for part in self.parts],
                "</svg>\n",
            ]
        )


def circuit() -> str:
    """Draw the circuit."""
    sheet = Sheet()
    sheet.text(20, 26, "Circuit of the simulated bench", anchor="start", bold=True)
    sheet.text(_WIDTH - 20, 26, "SIMULATED", anchor="end", colour=_RED, bold=True)
    sheet.text(
        20, 44, "blue: what the ground truth knows (physics/node.py)", anchor="start", colour=_BLUE
    )
    _supply(sheet)
    _stage(sheet)
    _output(sheet)
    _bench(sheet)
    _load(sheet)
    _leakage(sheet)
    return sheet.svg()


def _supply(sheet: Sheet) -> None:
    sheet.wire(f"M50 {_TOP}H190M50 {_TOP}V{_RETURN}H190")
    sheet.resistor(92, _TOP, upright=False)
    sheet.text(100, _TOP - 30, "battery", "or leads")
    sheet.round(50, 340, "U")
    sheet.text(76, 330, "supply", "9 V, with", "current limit", anchor="start")
    sheet.seen(100, _TOP + 24, "SUPPLY")
    sheet.seen(108, _TOP + 40, "SUPPLY_CURRENT")
    sheet.node(50, _RETURN)
    sheet.wire(f"M50 {_RETURN}v30")
    sheet.earth(50, _RETURN + 30)


def _stage(sheet: Sheet) -> None:
    sheet.parts.append(
        f'<rect x="170" y="66" width="556" height="{_RETURN - 36}" rx="8" fill="none" '
        f'stroke="{_GREY}" stroke-dasharray="8 5"/>'
    )
    sheet.text(182, 84, "device under test", anchor="start", colour=_GREY, bold=True)
    sheet.wire(f"M250 {_TOP}H460M250 {_RETURN}H460")
    sheet.box(190, _TOP - 20, 66, _RETURN - _TOP + 40, "boost", "supply", "80 V", "5 ms")
    sheet.seen(281, _TOP + 18, "BOOST")
    sheet.round(318, _TOP, "I")
    sheet.wire(f"M308 {_TOP + 24}h20m-6 -4l6 4l-6 4")
    sheet.text(318, _TOP - 26, "regulator, 1 ms")
    sheet.resistor(398, _TOP, upright=False)
    sheet.text(398, _TOP + 24, "sense 10 Ω")
    sheet.seen(398, _TOP - 14, "SENSE")
    sheet.box(448, _TOP - 20, 62, _RETURN - _TOP + 40, "polarity", "bridge")
    sheet.box(
        300,
        268,
        124,
        150,
        "board",
        "DAC, two ADCs,",
        "coulomb counter,",
        "relay, bridge,",
        "boost, keys,",
        "watchdog",
    )
    sheet.text(362, 438, "firmware behind a port", colour=_GREY)
    sheet.wire(f"M318 268V{_TOP + 34}m-4 8l4 -8l4 8", dashed=True, colour=_GREY)
    sheet.wire("M398 208V268m-4 -8l4 8l4 -8", dashed=True, colour=_GREY)
    sheet.box(434, 84, 120, 40, "independent", "comparator 5 mA")
    sheet.wire("M434 104H422V156", dashed=True, colour=_GREY)
    sheet.wire(f"M554 104H567V{_TOP - 16}m-4 -8l4 8l4 -8", dashed=True, colour=_GREY)


def _output(sheet: Sheet) -> None:
    sheet.wire(f"M510 {_TOP}H860M510 {_RETURN}H860")
    sheet.wire(f"M530 {_TOP}V{_RETURN}")
    sheet.capacitor(530, 340)
    sheet.text(546, 336, "20 pF", "stray", anchor="start")
    sheet.contact(552, _TOP)
    sheet.text(567, _TOP + 20, "output", "relay")
    for x in (530, 610, 670):
        sheet.node(x, _TOP)
        sheet.node(x, _RETURN)
    sheet.wire(f"M610 {_TOP}V{_RETURN}M670 {_TOP}V{_RETURN}")
    sheet.capacitor(610, 300)
    sheet.text(598, 284, "100 pF", anchor="end")
    sheet.resistor(670, 390)
    sheet.text(682, 386, "bleed", "1 MΩ", anchor="start")
    sheet.seen(652, _TOP - 14, "OUTPUT")


def _bench(sheet: Sheet) -> None:
    sheet.round(766, _TOP, "A")
    sheet.text(766, _TOP - 40, "ammeter", "burden 2 Ω")
    sheet.seen(766, _TOP + 34, "CURRENT")
    sheet.node(812, _TOP)
    sheet.node(812, _RETURN)
    sheet.wire(f"M812 {_TOP}V{_RETURN}")
    sheet.round(812, 340, "V")
    sheet.text(836, 336, "voltmeter", "10 MΩ", anchor="start")
    sheet.seen(820, _TOP - 14, "TERMINAL")
    sheet.wire(f"M860 {_TOP}H990M860 {_RETURN}H1070")
    sheet.contact(896, _TOP)
    sheet.contact(896, _RETURN)
    sheet.wire(f"M910 {_TOP - 6}V{_RETURN - 7}", dashed=True)
    sheet.text(912, _TOP - 42, "cut-off,", "both poles")


def _load(sheet: Sheet) -> None:
    x = 1070
    sheet.wire(f"M990 {_TOP}H{x}V{_RETURN}")
    sheet.contact(954, _TOP)
    sheet.text(972, _TOP + 20, "switched", "load")
    sheet.contact(1020, _TOP)
    sheet.text(1036, _TOP - 24, "lift-off")
    sheet.resistor(x, 214)
    sheet.text(x + 16, 218, "R_s 470 Ω", anchor="start")
    for y, name, ohm, farad in (
        (302, "active", "R_p 10 kΩ", "C_p 100 nF"),
        (416, "dispersive", "R_p 4.7 kΩ", "C_p 220 nF"),
    ):
        sheet.node(x, y - 36)
        sheet.node(x, y + 36)
        sheet.wire(f"M{x} {y - 36}H{x + 44}V{y + 36}H{x}")
        sheet.resistor(x, y)
        sheet.capacitor(x + 44, y)
        sheet.text(x - 14, y + 4, ohm, anchor="end")
        sheet.text(x + 60, y + 4, farad, anchor="start")
        sheet.text(x + 60, y - 24, name, anchor="start", colour=_GREY)
    sheet.seen(x + 24, _TOP + 2, "LOAD")
    sheet.resistor(984, _RETURN, upright=False)
    sheet.text(984, _RETURN - 14, "shunt 100 Ω")
    sheet.node(948, _RETURN)
    sheet.node(1020, _RETURN)
    sheet.wire(f"M948 {_RETURN}v56H1020v-56")
    sheet.round(984, _RETURN + 56, "∿")
    sheet.text(984, _RETURN + 92, "oscilloscope")
    sheet.seen(1046, _RETURN + 40, "SHUNT")


def _leakage(sheet: Sheet) -> None:
    sheet.wire(f"M50 {_TOP}V56H690V{_TOP}", dashed=True, colour=_GREY)
    sheet.node(50, _TOP)
    sheet.node(690, _TOP)
    sheet.resistor(600, 56, upright=False, colour=_GREY)
    sheet.text(600, 44, "isolation (∞; F21: finite)", colour=_GREY)
    sheet.node(756, _RETURN)
    sheet.wire(f"M756 {_RETURN}V{_RETURN + 90}", dashed=True, colour=_GREY)
    sheet.resistor(756, _RETURN + 48, colour=_GREY)
    sheet.text(772, _RETURN + 44, "leakage meter", "1 kΩ", anchor="start", colour=_GREY)
    sheet.seen(724, _RETURN + 52, "EARTH")
    sheet.earth(756, _RETURN + 90)
