"""What the site shows beside docs/: cards of the systems, and documents that lie elsewhere.

A hook of MkDocs. Links stay as they are right in the repository; here those that lead to a page of
the site are turned to it, and those that lead to code become its path.
"""

import posixpath
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
CARDS = sorted((ROOT / "models" / "cards").glob("*.md"))
ELSEWHERE = {
    "examples/cpp/README.md": "embed/cpp.md",
    "examples/web/README.md": "embed/web.md",
    "bench/README.md": "speed.md",
    "SECURITY.md": "safety.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "index.md",
    **{f"models/cards/{card.name}": f"systems/{card.name}" for card in CARDS},
}
"""Path in the repository -> path in the site; README's part is docs/index.md."""
SOURCES = {site: source for source, site in ELSEWHERE.items() if source != "README.md"}
FACTS = re.compile(r"\A```toml\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the pages of the two folders that the navigation names."""
    pages = {
        "systems": [f"systems/{card.name}" for card in CARDS],
        "checkpoints": ["checkpoints/README.md", *official()],
    }
    config.nav = [
        {title: pages.get(value, value) if isinstance(value, str) else value}
        for item in config.nav or []
        for title, value in item.items()
    ]
    return config


def official() -> list[str]:
    found = sorted((ROOT / "docs" / "checkpoints").glob("*.md"))
    return [f"checkpoints/{page.name}" for page in found if page.name != "README.md"]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside of docs/."""
    for site, source in SOURCES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, site, content=readable(text)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of the repository into links of the site."""
    here = page.file.src_uri
    source = SOURCES.get(here, f"docs/{here}")

    def turned(match: re.Match[str]) -> str:
        picture, text, link = match.groups()
        path, mark, anchor = link.partition("#")
        if "://" in link or not path:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        site = ELSEWHERE.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(site) is None:
            return text if posixpath.basename(target) in text else f"{text} (`{target}`)"
        near = posixpath.relpath(site, posixpath.dirname(here) or ".")
        return f"{picture}[{text}]({near}{mark}{anchor})"

    return LINK.sub(turned, markdown)


def readable(text: str) -> str:
    """A card with what programs read of it as tables, behind its title; another text as it is."""
    found = FACTS.match(text)
    if found is None:
        return text
    facts, prose = tomllib.loads(found[1]), text[found.end() :].lstrip()
    title, _, rest = prose.partition("\n")
    return f"{title}\n\n{told(facts)}\n{rest}\n{published(facts.get('published', []))}"


def told(facts: Mapping[str, Any]) -> str:
    def said(value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(f"`{each}`" for each in value) or "–"
        return f"<{value}>" if str(value).startswith("https://") else str(value)

    rows = [
        f"| {name.replace('_', ' ')} | {said(value)} |"
        for name, value in facts.items()
        if name not in ("title", "published")
    ]
    return "\n".join(("| | |", "|---|---|", *rows, ""))


def published(numbers: Sequence[Mapping[str, Any]]) -> str:
    if not numbers:
        return ""
    rows = [
        f"| {each['data']} | {each['metric']} | {spread(each)} | {each['source']} |"
        for each in numbers
    ]
    head = ("## Published numbers", "", "| data | metric | value | source |", "|---|---|--:|---|")
    return "\n".join((*head, *rows, ""))


def spread(number: Mapping[str, Any]) -> str:
    return " ± ".join(str(number[name]) for name in ("value", "spread") if name in number)
