import csv
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import numpy as np
import pytest
from callbacks.driving import drive

from chainrule.callbacks import CSVLogger, JSONLinesLogger, RemoteMonitor
from chainrule.errors import ChainruleError, FileError

LOGS = [{"loss": 0.5, "acc": 0.25}, {"loss": 0.125, "acc": np.float32(0.5), "val_loss": 1.0, "val_acc": 0.0}]


def read(path, separator=","):
    return list(csv.reader(path.read_bytes().decode().splitlines(), delimiter=separator))


def test_csv_rows(tmp_path):
    path = tmp_path / "deep" / "log.csv"
    drive(CSVLogger(path), LOGS)
    assert read(path) == [
        ["epoch", "acc", "loss", "val_acc", "val_loss"],
        ["0", "0.25", "0.5", "NA", "NA"],
        ["1", "0.5", "0.125", "0.0", "1.0"],
    ]
    drive(CSVLogger(path, separator=";", append=False), LOGS[1:])
    assert read(path, ";")[0] == ["epoch", "acc", "loss", "val_acc", "val_loss"]
    drive(CSVLogger(path, separator=";", append=True), LOGS[1:])
    assert len(read(path, ";")) == 3
    drive(CSVLogger(path), [{"loss": [1.0, 2.0], "word": "two words"}])
    assert read(path)[1] == ["0", '"[1.0, 2.0]"', "two words", "NA", "NA"]


def test_lines_of_a_run_that_goes_on(tmp_path):
    for kind, name in ((CSVLogger, "log.csv"), (JSONLinesLogger, "log.jsonl")):
        path = tmp_path / name
        first = kind(path)
        first.on_epoch_end(0, dict(LOGS[0]))
        state = json.loads(json.dumps(first.get_state()))
        first.on_epoch_end(1, dict(LOGS[1]))  # written, but lost with the process before the backup was
        first.on_train_end()
        again = kind(path)
        again.on_train_begin()
        again.set_state(state)
        again.on_epoch_end(1, {"loss": 0.75, "acc": 1.0})
        again.on_train_end()
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) == (3 if kind is CSVLogger else 2)
        assert "0.75" in lines[-1]


def test_json_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    drive(JSONLinesLogger(path), [*LOGS, {"loss": float("nan"), "list": np.arange(2)}])
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert records[1] == {"epoch": 1, "loss": 0.125, "acc": 0.5, "val_loss": 1.0, "val_acc": 0.0}
    assert records[2] == {"epoch": 2, "loss": None, "list": [0, 1]}
    drive(JSONLinesLogger(path, append=True), LOGS[:1])
    assert len(path.read_text("utf-8").splitlines()) == 4


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "log").mkdir()
    with pytest.raises(FileError, match="log: the file cannot be written"):
        drive(CSVLogger(tmp_path / "log"), LOGS)


@pytest.fixture
def server():
    """A server that keeps what it is sent."""
    found = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.append((self.path, self.headers["Content-Type"], self.headers["X-Key"], body))
            self.send_response(404 if self.path == "/wrong" else 200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", found
        served.shutdown()


def test_remote_monitor(server):
    root, found = server
    drive(RemoteMonitor(root, headers={"X-Key": "k"}), LOGS[1:])
    drive(RemoteMonitor(root, path="/other", send_as_json=True), LOGS[:1])
    path, kind, key, body = found[0]
    assert (path, kind, key) == ("/publish/epoch/end/", "application/x-www-form-urlencoded", "k")
    sent = {"epoch": 0, "loss": 0.125, "acc": 0.5, "val_loss": 1.0, "val_acc": 0.0}
    assert json.loads(parse_qs(body)["data"][0]) == sent
    assert found[1][:2] == ("/other", "application/json")
    assert json.loads(found[1][3]) == {"epoch": 0, "loss": 0.5, "acc": 0.25}
    with pytest.warns(UserWarning, match="404"):
        drive(RemoteMonitor(root, path="/wrong"), LOGS[:1])


def test_a_server_that_is_not_there_is_warned_of():
    with pytest.warns(UserWarning, match="could not reach"):
        drive(RemoteMonitor("http://127.0.0.1:9"), LOGS[:1])
    with pytest.raises(ChainruleError, match="not a server"):
        RemoteMonitor("file:///etc")
