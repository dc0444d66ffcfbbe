"""Laws of `foreframe drive`: keys, a video file, the page and who may ask for it."""

import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy
import pytest
from numpy.typing import NDArray
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from foreframe.errors import UserError
from foreframe.simulator.environment import LearnedDriving
from tests.needs import needs_program
from tests.stages import evaluation_study as tiny
from tests.workflow import drive_study
from workflow import cli, drive
from workflow.drive import controls, web
from workflow.drive.controls import Controls


def values(*numbers: float) -> NDArray[numpy.float32]:
    return numpy.array(numbers, numpy.float32)


KEYS = Controls(
    ("steer", "gas", "brake"),
    values(-0.1, 0.2, 0.0),
    values(-0.5, 0.0, 0.0),
    values(0.4, 0.7, 1.0),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drive_study.make(tmp_path_factory.mktemp("drive"))


@pytest.fixture
def environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> LearnedDriving:
    monkeypatch.chdir(folder)
    return LearnedDriving()


# ---- keys


def test_arrows_move_their_channel_towards_the_end_of_its_range() -> None:
    assert KEYS.action([]) == pytest.approx([0, 0.2, 0])
    assert KEYS.action(["left"]) == pytest.approx([-0.3, 0.2, 0])
    assert KEYS.action(["left", "left"]) == pytest.approx([-0.3, 0.2, 0])
    assert KEYS.action(["right", "up"]) == pytest.approx([0.24, 0.5, 0])
    assert KEYS.action(["down"]) == pytest.approx([0, 0.2, 0.6])
    assert KEYS.action(["left", "right", "up", "down"]) == pytest.approx([0, 0.2, 0])
    with pytest.raises(UserError, match="'jump' is unknown"):
        KEYS.action(["jump"])


def test_channels_that_are_not_there_are_not_moved() -> None:
    other = Controls(("height",), values(0.5), values(0), values(1))
    assert other.action(["left", "up"]).tolist() == [0.5]


# ---- a video file


def test_a_drive_into_a_file_shows_the_context_and_the_frames(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "actions.csv").write_text("steer,gas\n0.5,0\n-0.5,1\n")
    command = ["drive", "--frames", "5", "--actions", "actions.csv", "--out"]
    for name, per_prediction in (("a.mp4", 1), ("b.mp4", 1), ("c.mp4", 4)):
        with pytest.raises(SystemExit) as ended:
            cli.main([*command, name, "--frames-per-prediction", str(per_prediction)])
        assert ended.value.code == 0
    assert (folder / "a.mp4").read_bytes() == (folder / "b.mp4").read_bytes()
    with av.open(str(folder / "c.mp4")) as file:
        assert len(list(file.decode(video=0))) == 4 + 5
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("a.mp4: 4 frames of test clip") and "frames a second" in said[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("", "must begin with the line steer,gas"),
        ("steer,gas\n", "must begin with the line"),
        ("gas,steer\n0,0\n", "must begin with the line"),
        ("steer,gas\n0,0\n1\n", "line 3: give 2 finite numbers"),
        ("steer,gas\n0,nan\n", "line 2: give 2 finite numbers"),
        ("steer,gas\n0,left\n", "line 2: give 2 finite numbers"),
    ],
)
def test_files_of_actions_that_make_no_sense_are_refused(
    content: str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "actions.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        drive.read_actions(path, ("steer", "gas"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frames", "3"], "--frames and --out together"),
        (["--out", "a.mp4"], "--frames and --out together"),
        (["--actions", "a.csv"], "Give --frames and --out too"),
        (["--frames", "3", "--out", "a.mp4", "--web"], "exclude each other"),
        (["--frames", "0", "--out", "a.mp4"], "at least 1"),
        (["--frames", "3", "--out", "a.txt"], "endings"),
        (["--port", "70000", "--web"], "--port is 70000"),
        (["--seed", "-1"], "--seed is -1"),
        (["--clip", "99", "--frames", "1", "--out", "a.mp4"], "clips 0 to"),
        (["--study", "nowhere"], "no study nowhere"),
        (["--run", "gone"], "has no sample@gone. Choose of: actions."),
        (
            ["--study", "driving_thesis", "--run", "top_small"],
            "priors/top_small.safetensors does not exist. The simulator",
        ),
        ([], "no terminal to drive in"),
    ],
)
def test_wrong_options_are_refused(
    arguments: list[str], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        cli.main(["drive", *arguments])
    assert message in str(ended.value.code)


# ---- the page


@pytest.fixture
def server(environment: LearnedDriving) -> Iterator[web.Server]:
    with web.Server(web.Drive(environment, 0, {"clip": 1}), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: web.Server, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_the_page_stands_alone_and_shows_frames(
    server: web.Server, environment: LearnedDriving
) -> None:
    answer, page = ask(server, "GET", "/")
    assert answer.status == 200 and b"<canvas" in page
    assert not any(word in page for word in (b"http:", b"https:", b"src=", b"href=", b"@import"))
    assert "default-src 'none'" in (answer.headers["Content-Security-Policy"] or "")
    answer, start = ask(server, "POST", "/reset", "[]")
    answer, content = ask(server, "POST", "/step", json.dumps(["left"]))
    assert answer.status == 200 and "frames a second" in answer.headers["X-Status"]
    shape = [int(answer.headers[f"X-{name}"]) for name in ("Frames", "Height", "Width")]
    shown = numpy.frombuffer(content, numpy.uint8).reshape(*shape, 3)
    _, info = environment.reset(seed=0, options={"clip": 1})
    assert info["frames"].tobytes() == start
    expected = environment.step(controls.of(environment.trained).action(["left"]))[4]["frames"]
    assert numpy.array_equal(shown, expected)


def test_it_listens_on_this_machine_alone(server: web.Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.server_address[1] > 1023


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.org"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": ""},
        {"Origin": "http://example.org"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/step"), ("POST", "/reset")])
def test_foreign_names_and_pages_are_refused(
    server: web.Server, method: str, path: str, headers: dict[str, str]
) -> None:
    answer, content = ask(server, method, path, "[]", **headers)
    assert answer.status == 403 and b"answers only as" in content


def test_the_right_origin_may_ask(server: web.Server) -> None:
    own = f"http://127.0.0.1:{server.server_address[1]}"
    assert ask(server, "POST", "/reset", "[]", Origin=own)[0].status == 200


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/step", '["jump"]', 400),
        ("/step", "{}", 400),
        ("/step", "[1]", 400),
        ("/step", "[", 400),
        ("/step", json.dumps(["left"] * 1000), 400),
        ("/../../etc/passwd", "[]", 404),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    server: web.Server, path: str, body: str, code: int
) -> None:
    ask(server, "POST", "/reset", "[]")
    assert ask(server, "POST", path, body)[0].status == code
    assert ask(server, "GET", "/../params.yaml")[0].status == 404
    assert ask(server, "POST", "/step", "[]")[0].status == 200


def test_a_port_that_is_taken_is_named(server: web.Server, environment: LearnedDriving) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        web.Server(web.Drive(environment, 0, None), server.server_address[1])


# ---- a real browser


def test_arrow_keys_steer_on_the_page(server: web.Server, tmp_path: Path) -> None:
    for program in ("chromium", "chromedriver"):
        needs_program(program)
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for switch in ("--headless=new", "--no-sandbox", f"--user-data-dir={tmp_path}"):
        options.add_argument(switch)
    with Chrome(options, ChromeService(shutil.which("chromedriver"))) as browser:
        browser.get(server.url)
        status = browser.find_element(By.ID, "status")
        waiting = WebDriverWait(browser, 30)
        waiting.until(lambda _: "frames a second" in status.text)
        straight = status.text.partition("; ")[2]
        ActionChains(browser).key_down(Keys.ARROW_LEFT).perform()
        waiting.until(lambda _: "steer -" in status.text)
        ActionChains(browser).key_up(Keys.ARROW_LEFT).perform()
        waiting.until(lambda _: status.text.endswith(straight))
        assert browser.execute_script("return document.getElementById('view').width") == tiny.SIZE
        assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
