"""Plain text, in any common encoding, and the Markdown and emails that people paste into it."""

import re
from collections.abc import Iterator

from .blocks import MAX_CHARS, Block
from .encodings import decode
from .layout import remove_front_matter

# what only Markdown has: headings, code fences, rulers of tables, comments, tags, links
MARKUP = re.compile(
    r"^#{1,6}[ \t]+\S|^[ \t]{0,9}(?:```|~~~)|^[ \t]{0,3}\|?[ \t]{0,9}:?-{2,}:?[ \t]{0,9}\|"
    r"|<!--|</[a-zA-Z]\w{0,15}>|<br ?/?>|\]\(\S",
    re.M,
)
BOLD = re.compile(r"(?<![\w*])(\*\*|~~)(?=\w)[^*~\n]{1,400}(?<=[\w.,:;!?)])\1")
PAGE = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html)\b", re.I)
# lines of emails in English, German, French, Spanish, Italian, Portuguese and Dutch
MAIL = re.compile(
    r"^[> \t]{0,40}(?:\*{0,2}(?:From|Von|De|Da|Van) ?:|-- ?$|-{2,}.{0,40}-$|(?:On|Am|Le|El|Il|Em|Op) ."
    r"|(?:Sent|Get|Von|Gesendet|Envoyé|Enviado|Inviato|Verstuurd|Verzonden) )",
    re.M,
)
# what phones and mail programs write below a message
SENT_FROM = re.compile(
    r"(?:Sent (?:from|via|with|using)|Von|Gesendet (?:von|mit)|Envoyé (?:de|depuis)|Enviado (?:desde|do|de)"
    r"|Inviato (?:da|dal)|(?:Verstuurd|Verzonden) vanaf) "
    r"(?:(?:(?:my|mein\w{0,2}|mon|mi|meu|mio|mijn) )?(?:[A-Z\d][\w-]* ){0,3}"
    r"(?:iPhone|iPad|Android|Samsung|Galaxy|Huawei|Xiaomi|BlackBerry|Outlook|Yahoo|Proton|Gmail|Mail)"
    r"|(?:my|a) (?:[A-Z\d][\w-]* ){0,3}(?i:(?:mobile |cell )?(?:phone|smartphone|device)))\b"
    r"(?: (?:Mail|(?i:smartphone|phone|tablet)))?(?: (?:aus )?gesendet)?"
    r"(?: (?:for|by|für|pour|para|per) [\w&]+(?: \d+)?| on .{1,30}|, (?:powered by|please excuse) .{1,30})?"
    r"\W*$"
    r"|Get Outlook for (?:iOS|Android)(?:\s?<\S*>)?\W*$"
)
ATTRIBUTION = re.compile(
    r"(?:On|Am|Le|El|Il|Em|Op) .{5,250}"
    r"(?:wrote|schrieb.{0,100}|a écrit|escribió|ha scritto|escreveu|schreef.{0,100}) ?:$"
)
SENDER = re.compile(r"\*{0,2}(?:From|Von|De|Da|Van) ?:")
HEADER = re.compile(
    r"\*{0,2}(From|Sent|To|Cc|CC|Bcc|Date|Subject|Reply-To|Importance|Attachments?|Von|Gesendet|An|Betreff|Datum|De"
    r"|Envoyé|À|Objet|Para|Asunto|Enviado|Fecha|Da|A|Oggetto|Inviato|Assunto|Van|Aan|Onderwerp|Verzonden)"
    r" ?:\*{0,2}(.*)$"
)
SUBJECTS = ("Subject", "Betreff", "Objet", "Asunto", "Oggetto", "Assunto", "Onderwerp")
REPLY = re.compile(r"(?:\s*(?:Re|Fwd?|Aw|Wg|Tr|Rv)\s?:\s*){1,9}", re.I)
FORWARD = re.compile(r"-{2,} ?[A-Z][^-]{5,40}-{2,}$|Begin forwarded message:$")
QUOTE = re.compile(r"[> \t]*>[ \t]?")
# a longer passage below "-- " is no signature
MAX_SIGNATURE_LINES = 12


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read the text; what is Markdown in it is read as Markdown."""
    text = decode(data)
    return parse(text, is_markdown=bool(BOLD.search(text)))


def parse(text: str, is_markdown: bool = False) -> Iterator[Block]:
    """Read the text as running text, or as Markdown or HTML if it has the marks of them."""
    if len(text) > MAX_CHARS:
        yield Block("text", [text])
        return
    if PAGE.match(text):
        from . import html  # slow to import

        yield from html.parse(text)
        return
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = remove_mail_headers(remove_front_matter(text))
    if is_markdown or MARKUP.search(text):
        from . import markdown  # 4 ms

        yield from markdown.parse(text, has_indented_code=False)
    else:
        yield Block("text", [text])


def remove_mail_headers(text: str) -> str:
    """Remove signatures and the header lines of quoted emails; their subject becomes a heading."""
    if not MAIL.search(text):
        return text
    lines = text.split("\n")
    kept: list[str] = []
    number = 0
    while number < len(lines):
        mark = QUOTE.match(lines[number])
        prefix = mark.group() if mark else ""
        length, subject = _mail_header(lines, number, len(prefix))
        if length and subject:
            kept += [prefix, prefix + subject, prefix + "=====", prefix]
        elif length:
            kept.append(prefix)
        else:
            kept.append(lines[number])
        number += max(1, length)
    return "\n".join(kept)


def _mail_header(lines: list[str], number: int, start: int) -> tuple[int, str]:
    """Return how many lines from this one on belong to an email and not to its text, and the subject."""
    line = lines[number][start:].strip()
    if line == "--":
        return _signature_length(lines, number, start), ""
    if FORWARD.match(line) or SENT_FROM.match(line):
        return 1, ""
    if SENDER.match(line):
        return _header_length(lines, number, start)
    if line.startswith(("On ", "Am ", "Le ", "El ", "Il ", "Em ", "Op ")):
        for length in range(1, 4):
            attribution = " ".join(part[start:].strip() for part in lines[number : number + length])
            if ATTRIBUTION.match(attribution):
                return length, ""
    return 0, ""


def _header_length(lines: list[str], number: int, start: int) -> tuple[int, str]:
    subject = ""
    length = 0
    for line in lines[number : number + 20]:
        header = HEADER.match(line[start:].strip())
        if header and header[1] in SUBJECTS:
            subject = REPLY.sub("", header[2], count=1).strip(" *")
        elif not header and not (length and line[start:].startswith((" ", "\t")) and line.strip()):
            break
        length += 1
    return (length, subject) if length > 1 else (0, "")


def _signature_length(lines: list[str], number: int, start: int) -> int:
    """Return the lines from "-- " to the next quotation, forwarded email or end; 0 if it is no signature."""
    quote = lines[number][:start]
    for length in range(1, MAX_SIGNATURE_LINES + 1):
        if number + length >= len(lines):
            return length
        line = lines[number + length]
        if not line.startswith(quote.strip()) or (not quote and line.startswith(">")):
            return length
        rest = line[start:].strip()
        if SENDER.match(rest) or FORWARD.match(rest) or ATTRIBUTION.match(rest):
            return length
    return 0
