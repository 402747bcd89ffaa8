"""A screen with ANSI colours on standard input, a picture of it on standard output. The argument is its title."""

import html
import re
import sys
import unicodedata

FORE, BACK, CELL, LINE = "#e0e2ea", "#14161b", 8.4, 18
BASIC = ["#14161b", "#ffc0b9", "#b3f6c0", "#fce094", "#a6dbff", "#ffcaff", "#8cf8f7", "#eef1f8"]


def color256(n):
    if n < 16:
        return BASIC[n % 8]
    if n > 231:
        return "#" + f"{8 + 10 * (n - 232):02x}" * 3
    n -= 16
    return "#" + "".join(f"{0 if c == 0 else 55 + 40 * c:02x}" for c in (n // 36, n // 6 % 6, n % 6))


def style(codes, now):
    now = dict(now)
    codes = [int(c or 0) for c in re.split("[;:]", codes)] or [0]
    while codes:
        c = codes.pop(0)
        if c == 0:
            now = {}
        elif c == 1:
            now["bold"] = True
        elif c == 3:
            now["italic"] = True
        elif c == 4:
            now["under"] = True
            if codes and codes[0] in (0, 1, 2, 3, 4, 5) and len(codes) == 1:
                codes.pop(0)
        elif c == 7:
            now["swap"] = True
        elif c in (22, 23, 24, 27):
            now.pop({22: "bold", 23: "italic", 24: "under", 27: "swap"}[c], None)
        elif 30 <= c <= 37 or 90 <= c <= 97:
            now["fg"] = BASIC[c % 10]
        elif 40 <= c <= 47 or 100 <= c <= 107:
            now["bg"] = BASIC[c % 10]
        elif c in (38, 48, 58) and codes:
            kind = codes.pop(0)
            value = color256(codes.pop(0)) if kind == 5 else "#" + "".join(f"{v:02x}" for v in codes[:3])
            if kind == 2:
                del codes[:3]
            if c != 58:
                now["fg" if c == 38 else "bg"] = value
        elif c == 39:
            now.pop("fg", None)
        elif c == 49:
            now.pop("bg", None)
    return now


def main():
    rows = sys.stdin.read().rstrip("\n").split("\n")
    width = 110
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * CELL:.0f}" height="{len(rows) * LINE + 12}" '
        'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">',
        f"<title>{html.escape(sys.argv[1])}</title>",
        f'<rect width="100%" height="100%" rx="6" fill="{BACK}"/>',
    ]
    now = {}
    for y, row in enumerate(rows):
        x = 0
        for part in re.split(r"(\x1b\[[0-9;:]*m)", row):
            found = re.fullmatch(r"\x1b\[([0-9;:]*)m", part)
            if found:
                now = style(found[1], now)
                continue
            part = re.sub(r"\x1b\[[^m]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x0e\x0f]", "", part)
            if not part:
                continue
            cells = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in part)
            fg, bg = now.get("fg", FORE), now.get("bg")
            if now.get("swap"):
                fg, bg = bg or BACK, now.get("fg", FORE)
            if bg and bg != BACK:
                out.append(f'<rect x="{x * CELL:.1f}" y="{y * LINE + 6}" width="{cells * CELL:.1f}" height="{LINE}" fill="{bg}"/>')
            if part.strip():
                more = ' font-weight="bold"' if now.get("bold") else ""
                more += ' font-style="italic"' if now.get("italic") else ""
                more += ' text-decoration="underline"' if now.get("under") else ""
                out.append(
                    f'<text x="{x * CELL:.1f}" y="{y * LINE + 20}" fill="{fg}"{more} xml:space="preserve" '
                    f'textLength="{cells * CELL:.1f}">{html.escape(part)}</text>'
                )
            x += cells
    out.append("</svg>")
    print("\n".join(out))


main()
