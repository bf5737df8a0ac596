"""Settings files: YAML into a checked model, and what is wrong with one in a line that says where and what to do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from features import yaml_text
from features.settings_fixes import fix, plain


class WorkspaceError(Exception):
    """What is wrong with a workspace or an input file, where, and what to do: one line for the user."""


class Section(BaseModel):
    """A part of a settings file: unknown keys, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, model: type[Model], written: bytes | None = None, context: Any = None) -> Model:
    """The validated content of a YAML file; `written` is what it holds, where that was read before.

    `context` is what the model is checked against, beside itself.

    Raises WorkspaceError naming the file, the key, its line and the fix; an empty file means all defaults.
    """
    try:
        text = yaml_text.content(path) if written is None else written
        content: Any = yaml_text.load(text)
    except FileNotFoundError:
        # into a folder that is a workspace already, init writes nothing
        inside = path.name != "tactful.yaml" and (path.parent / "tactful.yaml").is_file()
        how = "`tactful init NEW_FOLDER` writes one to copy" if inside else f"`tactful init {path.parent}` writes one"
        raise WorkspaceError(f"{path}: no such file; {how}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise WorkspaceError(f"{path}{line}: not valid YAML: {what}") from None
    except RecursionError:
        raise WorkspaceError(f"{path}: is nested too deeply; write it flat") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise WorkspaceError(f"{path}: expected `key: value` lines at the top, found {type(content).__name__}")
    try:
        return model.model_validate(content, context=context)
    except ValidationError as error:
        raise WorkspaceError(f"{path}: " + "; ".join(explain(error, text))) from None


def explain(error: ValidationError, text: bytes | None = None) -> list[str]:
    """One sentence per problem: the key, what is wrong, what was found; and its line in the `text`."""
    tree = None if text is None else yaml.compose(text.decode(), yaml.SafeLoader)
    sentences = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"]) or "(top level)"
        line = "" if tree is None else f", line {_line(tree, problem['loc'])}"
        if problem["type"] == "extra_forbidden":
            sentences.append(f"`{key}` is not a known key; remove it or correct its spelling{line}")
            continue
        found = "" if problem["type"] == "missing" else f" (found {problem['input']!r})"[:120]
        sentences.append(f"`{key}`: {plain(problem['msg'])}{found}{fix(problem)}{line}")
    return sentences


def _line(node: yaml.Node, keys: Sequence[Any]) -> int:
    """Where the value of these keys begins, as far as the file has them: pydantic adds names of its own to a path."""
    line = node.start_mark.line
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if getattr(k, "value", None) == str(key)), None)
            if pair is None:
                continue
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line
    return int(line) + 1
