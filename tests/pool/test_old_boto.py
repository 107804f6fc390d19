"""What boto misses of today's Python is given to its own modules, and to nothing else.

boto can be imported once in a process, so every test that needs it fresh runs in one of its own.
"""

import ast
import importlib
import inspect
import io
import linecache
import re
import ssl
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from botod.pool import old_boto
from support.certificates import Authority, new_authority
from support.http_server import http_server

import boto

BOTO = Path(boto.__file__).parent


def in_fresh_python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process that has imported nothing yet."""
    return subprocess.run(
        [sys.executable, *options, "-c", code], check=False, capture_output=True, text=True
    )


def printed(code: str, *options: str) -> str:
    """What `code` prints; it has to succeed."""
    done = in_fresh_python(code, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def stock_source(name: str) -> str:
    """The source of a module of boto as it lies on disk."""
    path = BOTO.joinpath(*name.split(".")[1:]).with_suffix(".py")
    return path.read_text(encoding="utf-8")


def spec_of(name: str) -> ModuleSpec:
    """How a module of boto is loaded."""
    package = importlib.import_module(name.rpartition(".")[0])
    spec = old_boto._Finder.find_spec(name, package.__path__)
    assert spec is not None
    return spec


def source(name: str) -> str:
    """The lines of it that are run."""
    loader = spec_of(name).loader
    assert isinstance(loader, old_boto._Loader)
    return loader.get_source(name)


def loaded(name: str) -> Any:
    """The module, made anew for one test; the process may have its own from before the pool."""
    spec = spec_of(name)
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def plugin() -> Any:
    """A new `boto.plugin`."""
    return loaded("boto.plugin")


@pytest.mark.parametrize("name", old_boto.REWRITES)
def test_each_line_to_change_is_there_and_keeps_its_number(name: str) -> None:
    """Tracebacks go on pointing at the right lines of boto's files."""
    for old, new in old_boto.REWRITES[name]:
        assert old in stock_source(name)
        assert old.count("\n") == new.count("\n")


@pytest.mark.parametrize("name", old_boto.REWRITES)
def test_what_is_run_is_python_without_what_has_gone(name: str) -> None:
    """None of the names that newer Pythons lack is left, nor an escape that they warn of."""
    text = source(name)
    ast.parse(text)  # a warning would be an error here
    gone = r"^import (imp|cgi)$|cgi\.|\bssl\.wrap_socket|collections import Mapping|readfp"
    assert re.findall(gone, text, re.MULTILINE) == []


def test_another_boto_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source without the line to change says so, rather than run unchanged."""
    monkeypatch.setitem(old_boto.REWRITES, "boto.plugin", (("no such line", ""),))
    with pytest.raises(
        ImportError, match=r"boto\.plugin is not boto 2\.49\.0's: it lacks 'no such"
    ):
        source("boto.plugin")


@pytest.mark.parametrize(
    "name",
    ["boto.dynamodb2.table", "boto.dynamodb.layer2", "boto.mws.connection", "boto.ecs.item"],
)
def test_what_newer_pythons_cannot_import_is_imported(name: str) -> None:
    """DynamoDB's modules fail on 3.11 already, without it."""
    assert printed(f"import botod.pool, {name}; print({name}.__name__)") == name


def test_importing_warns_of_nothing() -> None:
    """Without any filter: on 3.11 stock boto warns of `imp` and of an importer from before."""
    code = (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    import botod.pool, boto.pyami.launch_ami\n"
        "print([w.message for w in caught if 'invalid escape' not in str(w.message)])\n"
        "print(warnings.filters == before)"
    )
    assert printed("import warnings; before = list(warnings.filters)\n" + code) == "[]\nTrue"


def test_nothing_is_added_to_the_standard_library() -> None:
    """Neither a name in a module of Python's nor a stand-in for one."""
    code = (
        "import sys, collections, configparser, ssl, html\n"
        "modules = (collections, configparser.ConfigParser, ssl, html)\n"
        "names = lambda it: {name for name in dir(it) if not name.startswith('__')}\n"
        "before = [names(module) for module in modules]\n"
        "import botod.pool, boto.dynamodb2.table, boto.mws.connection, boto.ecs.item\n"
        "import boto.pyami.launch_ami, boto.https_connection\n"
        "print([names(module) - old for module, old in zip(modules, before)])\n"
        "print({'imp', 'cgi'} & set(sys.modules))"
    )
    assert printed(code) == "[set(), set(), set(), set()]\nset()"


def test_other_modules_keep_their_loaders() -> None:
    """Of boto only the named modules are touched, of others none, and the six of others works."""
    code = (
        "import sys, botod.pool\n"
        "print(*sorted(name for name, module in sys.modules.items()\n"
        "    if type(getattr(module, '__loader__', None)).__module__ == 'botod.pool.old_boto'))"
    )
    touched = set(printed(code).split())
    assert {"boto.vendored.six", "boto.plugin", "boto.pyami.config"} <= touched
    assert touched <= set(old_boto.REWRITES)


def test_a_moved_module_keeps_its_own_spec() -> None:
    """`six.moves.queue` is Python's `queue` itself, and must not look as if boto had made it."""
    code = (
        "import botod.pool, queue, http.client, boto.vendored.six.moves as moves\n"
        "from boto.vendored.six.moves import queue as moved, http_client\n"
        "import boto.vendored.six.moves.urllib.parse as parse\n"
        "assert moved is queue and http_client is http.client\n"
        "print(queue.__spec__.name, http.client.__spec__.name, parse.quote(' '), moves.__name__)"
    )
    assert printed(code) == "queue http.client %20 boto.vendored.six.moves"


def test_a_module_that_has_not_moved_is_not_found() -> None:
    """The importer answers for what it knows only."""
    code = "import botod.pool, boto.vendored.six.moves.no_such_module"
    assert (
        "No module named 'boto.vendored.six.moves.no_such_module'" in in_fresh_python(code).stderr
    )


def test_it_is_put_in_place_once() -> None:
    """However often it is asked for."""
    code = (
        "import sys; from botod.pool import old_boto; old_boto.install(); old_boto.install()\n"
        "print(sys.meta_path.count(old_boto._Finder))"
    )
    assert printed(code) == "1"


def test_a_boto_that_failed_before_is_named() -> None:
    """On 3.12 and later `import boto` alone fails and leaves a part of itself behind."""
    code = "import sys; sys.modules['boto.vendored.six'] = sys\nimport botod.pool"
    error = in_fresh_python(code).stderr.strip().splitlines()[-1]
    assert error == (
        "ImportError: boto was imported before botod.pool, and failed; import botod.pool first"
    )


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="boto imports up to Python 3.11 only")
def test_a_boto_that_was_imported_before_stays_as_it_is() -> None:
    """Programs on 3.11 import the two in any order; what comes later is changed still."""
    code = (
        "import boto, botod.pool, boto.dynamodb2.table, boto.vendored.six as six\n"
        "print(type(six.__loader__).__name__, issubclass(botod.pool.pooled(boto.connection.\n"
        "    AWSAuthConnection), boto.connection.AWSAuthConnection))"
    )
    assert printed(code, "-W", "ignore") == "SourceFileLoader True"


def test_tracebacks_and_inspect_show_boto_s_file(plugin: Any) -> None:
    """The module has its place on disk, and its source is found."""
    assert plugin.__file__ == str(BOTO / "plugin.py")
    assert "imp.load_module" in inspect.getsource(plugin._import_module)
    assert linecache.getline(str(BOTO / "plugin.py"), 40) == "import imp\n"


def test_boto_s_compiled_files_are_left_alone(tmp_path: Path) -> None:
    """What is changed is compiled anew in each process and written nowhere."""
    code = (
        f"import sys; sys.pycache_prefix = {str(tmp_path)!r}; sys.dont_write_bytecode = False\n"
        "import botod.pool, pathlib\n"
        "print(*sorted(path.name.partition('.')[0] for path in pathlib.Path(\n"
        "    sys.pycache_prefix).rglob('boto/*.pyc')))"
    )
    written = printed(code, "-W", "ignore").split()
    assert "connection" in written
    assert not {"plugin", "https_connection"} & set(written)


def test_a_plugin_is_run(plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto runs every file of the folder that its configuration names, as a module of that name."""
    path = tmp_path / "a_plugin_of_boto.py"
    path.write_text("FOUND = __name__, __file__\n")
    monkeypatch.setitem(sys.modules, path.stem, None)  # so that what the test adds is undone
    del sys.modules[path.stem]
    module = plugin._import_module(str(path))
    assert (path.stem, str(path)) == module.FOUND
    assert sys.modules[path.stem] is module


def test_a_plugin_is_run_again(
    plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `imp` did it, in the module that is there."""
    there = ModuleType("a_plugin_of_boto")
    monkeypatch.setitem(sys.modules, there.__name__, there)
    path = tmp_path / f"{there.__name__}.py"
    path.write_text("RUN = True\n")
    assert plugin._import_module(str(path)) is there
    assert vars(there)["RUN"]


def test_a_plugin_that_fails_is_not_kept(plugin: Any, tmp_path: Path) -> None:
    """Its error comes through, and no half of it stays in `sys.modules`."""
    path = tmp_path / "a_broken_plugin.py"
    path.write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        plugin._import_module(str(path))
    assert path.stem not in sys.modules


def test_a_plugin_that_fails_again_is_kept(
    plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that was there before stays there."""
    there = ModuleType("a_broken_plugin")
    monkeypatch.setitem(sys.modules, there.__name__, there)
    path = tmp_path / f"{there.__name__}.py"
    path.write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        plugin._import_module(str(path))
    assert sys.modules[there.__name__] is there


def test_a_plugin_that_is_not_there(plugin: Any, tmp_path: Path) -> None:
    """As with `imp`."""
    with pytest.raises(ImportError, match="No module named 'not_there'"):
        plugin._import_module(str(tmp_path / "not_there.py"))


def test_a_file_that_is_no_module(tmp_path: Path) -> None:
    """There is nobody to load it."""
    with pytest.raises(ImportError, match="is no Python file"):
        old_boto.load_module("x", None, str(tmp_path / "x.text"), None)


def test_a_configuration_is_read_from_a_file_object() -> None:
    """And so the file of keys that AWS_CREDENTIAL_FILE names."""
    config = loaded("boto.pyami.config").Config(fp=io.StringIO("[Boto]\nnum_retries = 3\n"))
    assert config.getint("Boto", "num_retries") == 3


@pytest.mark.filterwarnings("ignore:unclosed file")  # boto never closes it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_configuration_imports_others(tmp_path: Path) -> None:
    """The pattern whose escapes are spelt anew matches as before."""
    (tmp_path / "main.cfg").write_text("#import other.cfg\n[A]\nx = 1\n")
    (tmp_path / "other.cfg").write_text("[B]\ny = 2\n")
    config = loaded("boto.pyami.config").Config(path=str(tmp_path / "main.cfg"))
    assert (config.get("A", "x"), config.get("B", "y")) == ("1", "2")


def test_text_is_escaped_as_by_cgi() -> None:
    """boto.ecs escapes an element's text, and leaves quotes alone."""
    group = loaded("boto.ecs.item").ResponseGroup(None, "Item")
    group.endElement("Title", "<a> & \"b\" 'c'", None)
    assert group._xml.getvalue() == "&lt;a&gt; &amp; \"b\" 'c'</Title>"


def test_mappings_and_lists_are_taken_apart() -> None:
    """boto.mws tells them by their abstract classes."""
    into: dict[str, object] = {}
    loaded("boto.mws.connection").destructure_object({"A": ["x", {"B": True}]}, into, "P")
    assert into == {"P.A.1": "x", "P.A.2.B": "true"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for the server below."""
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def https() -> Any:
    """A new `boto.https_connection`."""
    return loaded("boto.https_connection")


def connect_stock(https: Any, context: ssl.SSLContext, **options: str) -> None:
    """Connect as boto does without the pool, to a server on loopback."""
    with http_server(tls=context) as server:
        connection = https.CertValidatingHTTPSConnection("localhost", server.port, **options)
        try:
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
        finally:
            connection.close()


def test_https_without_the_pool(https: Any, authority: Authority) -> None:
    """boto's own connection checks the chain and the name."""
    connect_stock(https, authority.server_context("localhost"), ca_certs=authority.ca_file)


def test_https_with_a_certificate_of_the_client(
    https: Any, authority: Authority, tmp_path: Path
) -> None:
    """Its files are handed on; the server here asks for one."""
    context = authority.server_context("localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    client = authority.ca.issue_cert("client.test")
    client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    connect_stock(
        https,
        context,
        ca_certs=authority.ca_file,
        key_file=str(tmp_path / "key.pem"),
        cert_file=str(tmp_path / "cert.pem"),
    )


def test_https_to_another_name(https: Any, authority: Authority) -> None:
    """A certificate for another host is refused, by boto's own comparison."""
    with pytest.raises(https.InvalidCertificateException, match="does not match"):
        connect_stock(https, authority.server_context("other.test"), ca_certs=authority.ca_file)


def test_https_without_roots(https: Any, authority: Authority) -> None:
    """Who trusts nobody connects to nobody."""
    with pytest.raises(ssl.SSLCertVerificationError):
        connect_stock(https, authority.server_context("localhost"))
