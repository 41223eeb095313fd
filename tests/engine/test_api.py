"""The Python API: the public names of `engine`, their types and the examples of its documentation."""

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

import engine

STUB = Path(engine.__file__).with_suffix(".pyi")


def declared_types() -> dict[str, tuple[str, str]]:
    """The module and the original name of each public name, as the stub declares them for type checkers."""
    imported: dict[str, tuple[str, str]] = {}
    declared: dict[str, tuple[str, str]] = {}
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                imported[alias.asname or alias.name] = (str(node.module), alias.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            declared[ast.unparse(node.targets[0])] = imported[node.value.id]
    return declared | {name: origin for name, origin in imported.items() if not name.startswith("_")}


def test_the_examples_of_the_documentation_run_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(engine)
    assert attempted > 15
    assert failed == 0


def test_the_stub_declares_exactly_the_public_names() -> None:
    assert set(declared_types()) == set(engine.__all__)


@pytest.mark.parametrize("name", engine.__all__)
def test_each_public_name_is_the_object_that_the_stub_declares(name: str) -> None:
    module, original = declared_types()[name]
    try:
        expected = getattr(import_module(module), original)
    except AttributeError:
        expected = import_module(f"{module}.{original}")
    value = getattr(engine, name)
    assert value is expected or value == expected


def test_no_public_name_is_hidden_by_a_module_of_the_engine() -> None:
    modules = {path.stem for path in Path(engine.__file__).parent.iterdir()}
    assert not modules & set(engine.__all__)


def test_an_unknown_name_raises_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'engine' has no attribute 'train_everything'"):
        _ = engine.train_everything  # type: ignore[attr-defined]
