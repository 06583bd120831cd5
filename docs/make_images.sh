#!/usr/bin/env bash
# Makes the README's two pictures from a real run: needs tmux, chromium and pdftoppm.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
session="stimproof-images-$$"
trap 'tmux kill-session -t "$session" 2>/dev/null || true; rm -rf "$work"' EXIT

tmux new-session -d -s "$session" -x 108 -y 110 "bash --norc"
tmux send-keys -t "$session" "PS1='\$ '; clear; .venv/bin/hil run --out $work/runs; echo ended \$? > $work/ended" Enter
until [ -e "$work/ended" ]; do sleep 0.2; done
sleep 0.5
tmux capture-pane -t "$session" -p -e > "$work/screen.txt"

.venv/bin/python - "$work" <<'PY'
import re, sys
from pathlib import Path
from rich.console import Console
from rich.text import Text
work = Path(sys.argv[1])
text = (work / "screen.txt").read_text().replace(str(work) + "/", "")
lines = text.rstrip().splitlines()
lines = [line for line in lines if "echo ended" not in line and not re.match(r"^\$ *$", line)]
console = Console(record=True, width=108, file=open("/dev/null", "w"))
console.print("$ hil run")
for line in lines:
    console.print(Text.from_ansi(line))
console.save_svg(str(work / "screen.svg"), title="hil run")
svg = (work / "screen.svg").read_text()
width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
(work / "screen.html").write_text(f'<body style="margin:0">{svg}</body>')
(work / "size").write_text(f"{round(width)},{round(height)}")
PY
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$(cat "$work/size")" \
    --screenshot=docs/images/terminal.png "file://$work/screen.html" 2>/dev/null
pdftoppm -r 80 -f 1 -l 1 -singlefile -png "$work/runs/$(cat "$work/runs/latest")/report/compliance.pdf" docs/images/report
