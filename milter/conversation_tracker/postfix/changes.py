"""The changes that Postfix needs: collected, shown, tried on paper.

Nothing is written here; `edit` does that. `plan` gives the settings as they will be, so that
what would be wrong afterwards is known before.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from conversation_tracker.postfix import settings as postfix_settings
from conversation_tracker.postfix.settings import MasterService, Settings, split_entries

_BLANKS = re.compile(r"(?<!\s)\s++(?=[{},])|(?<=[{},])\s++")
_FIELDS = 8  # of a service in master.cf, the command with its options as one


@dataclass(slots=True)
class Changes:
    """Changes of one Postfix, in the order in which they were asked for.

    Attributes:
        settings: as they are.
        shown: one text for each change.
        main: parameters of main.cf and their new values.
        unset: parameters that main.cf is not to name.
        added: services of master.cf, each with its whole line.
        options: parameters of services (NAME/TYPE, parameter) and their new values.
        removed: services that master.cf is not to have.
        files: tables and their new texts.
        unlinked: tables that are not to be there.
    """

    settings: Settings
    shown: list[str] = field(default_factory=list)
    main: dict[str, str] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    added: dict[str, str] = field(default_factory=dict)
    options: dict[tuple[str, str], str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    files: dict[Path, str] = field(default_factory=dict)
    unlinked: list[Path] = field(default_factory=list)

    def _show(self, what: str, old: str, new: str) -> None:
        self.shown.append(f"{what}: {old or '(empty)'} -> {new or '(empty)'}")

    def want(self, name: str, value: str) -> None:
        """Set a parameter of main.cf."""
        old = self.settings.written.get(name, "")
        if old != value:
            self._show(name, old, value)
            self.main[name] = value

    def want_unset(self, name: str) -> None:
        """Remove a parameter from main.cf."""
        if name in self.settings.named and name not in self.unset:  # postconf -X crashes on two
            self._show(name, self.settings.written.get(name, ""), "(not set)")
            self.unset.append(name)

    def drop(self, name: str) -> None:
        """Remove a parameter from main.cf in place of setting it to nothing."""
        del self.main[name]
        self.shown = [text for text in self.shown if not text.startswith(f"{name}: ")]
        self.want_unset(name)

    def want_list(self, name: str, wanted: Sequence[str]) -> None:
        """Set a list in main.cf; only the entries count, not how they are laid out."""
        old = self.settings.join_list(name)
        if split_entries(old) != list(wanted):
            self._show(name, old, ", ".join(wanted))
            self.main[name] = ", ".join(wanted)

    def want_first(self, name: str, table: str) -> None:
        """Put a table at the front of a list in main.cf: what comes first decides."""
        others = [x for x in split_entries(self.settings.join_list(name)) if x != table]
        self.want_list(name, [table, *others])

    def want_service(self, name: str, fields: str, options: Mapping[str, str]) -> None:
        """Set a service of master.cf; other settings of an existing one stay.

        Args:
            name: NAME/TYPE.
            fields: those after name and type, up to the command.
            options: parameters that it must have.
        """
        service = self.settings.find(name)
        if service is None:
            given = " ".join(f"-o {key}={value}" for key, value in options.items())
            self.added[name] = f"{name.replace('/', ' ')} {fields} {given}"
            self._show(name, "(none)", self.added[name])
            return
        for key, value in options.items():
            self.want_option(service, key, value)

    def want_option(self, service: MasterService, name: str, value: str) -> None:
        """Set a parameter of a service.

        postconf takes no blanks here; those inside braces mean nothing.
        """
        old = service.written.get(name)
        wanted = _BLANKS.sub("", value)
        if old is None or split_entries(_BLANKS.sub("", old)) != split_entries(wanted):
            self._show(f"{service}/{name}", old or "", wanted)
            self.options[str(service), name] = wanted

    def want_no_service(self, name: str) -> None:
        """Remove a service (NAME/TYPE) from master.cf."""
        service = self.settings.find(name)
        if service is not None:
            self._show(name, service.line, "(none)")
            self.removed.append(name)

    def want_file(self, path: Path, text: str) -> None:
        """Write a text to a file."""
        old = path.read_text("utf-8", "replace") if path.exists() else None
        if old != text:
            lines = "".join(f"\n{line}" for line in text.splitlines() if line[:1] != "#")
            self._show(str(path), "(none)" if old is None else "(other text)", f"the lines{lines}")
            self.files[path] = text

    def want_no_file(self, path: Path) -> None:
        """Remove a file."""
        if path.exists():
            self._show(str(path), "(ours)", "(none)")
            self.unlinked.append(path)

    def plan(self, environ: Mapping[str, str], scratch: Path) -> Settings:
        """Return the settings as they will be.

        Args:
            environ: as `settings.read` takes it.
            scratch: a directory where tables may be written, to ask them.
        """
        after = postfix_settings.read_settings(environ, self.main)
        plain = {name: value for name, value in self.main.items() if "$" not in value}
        tables = {}
        for path, text in self.files.items():
            (scratch / path.name).write_text(text, "utf-8")
            tables[f"regexp:{path}"] = f"regexp:{scratch / path.name}"

        def ask(table: str, key: str) -> str | None:
            return after.ask(tables.get(table.removeprefix("proxy:"), table), key)

        return replace(
            after, main={**after.main, **plain}, services=self._plan_services(after), ask=ask
        )

    def _plan_services(self, after: Settings) -> list[MasterService]:
        found = []
        for service in after.services:
            own = {n: v for (name, n), v in self.options.items() if name == str(service)}
            if str(service) not in self.removed:
                found.append(replace(service, options={**service.options, **own}))
        for line in self.added.values():
            *fields, options = line.split(None, _FIELDS)
            pairs = (each.partition("=") for each in options.removeprefix("-o ").split(" -o "))
            given = {name: value for name, _, value in pairs}
            found.append(MasterService(fields[0], fields[1], fields[4], fields[7], given))
        return found
