"""Queue triggers against the storage emulator: what happens to a message, whatever its function does."""

import base64
import time
from collections.abc import Callable

from azure.core.exceptions import ResourceNotFoundError

from tests.host.queueing import CODE, Scene, done, seen
from tests.host.running import wait_until


def seconds_until(condition: Callable[[], bool], what: str) -> float:
    began = time.monotonic()
    wait_until(condition, what)
    return time.monotonic() - began


def test_a_message_is_run_and_deleted(scene: Scene) -> None:
    with scene.start() as host:
        scene.send("grüß")
        wait_until(lambda: done(host) == ["grüß"], "the message was run")
        wait_until(lambda: scene.count() == 0, "the message was deleted")
        document = seen(host)[0].document
        assert document["try"] == 1
        assert document["receipt"] is True
        assert document["insertion_time"].endswith("+00:00")
        assert document["insertion_time"] < document["expiration_time"]
        assert scene.poisoned() == []


def test_a_failed_message_comes_back_and_ends_as_poison(scene: Scene) -> None:
    with scene.start(maxDequeueCount=3) as host:
        scene.send("fail")
        wait_until(lambda: len(scene.poisoned()) == 1, "the message is poison")
        wait_until(lambda: host.outcomes("work") == ["Failed"] * 3, "three failures are logged")
        assert [(one.body, one.attempt) for one in seen(host)] == [("fail", 1), ("fail", 2), ("fail", 3)]
        assert base64.b64decode(scene.poisoned()[0]) == b"fail"
        wait_until(lambda: scene.count() == 0, "the message was deleted")
        assert len({one.document["id"] for one in seen(host)}) == 1


def test_a_failed_message_comes_back_after_the_visibility_timeout(scene: Scene) -> None:
    with scene.start(visibilityTimeout="00:00:03") as host:
        scene.send("fail")
        wait_until(lambda: len(seen(host)) == 1, "first try")
        assert seconds_until(lambda: len(seen(host)) == 2, "second try") > 2


def test_a_message_that_is_no_base64_is_poison_at_once(scene: Scene) -> None:
    with scene.start() as host:
        scene.queue.send_message("plain text!")
        wait_until(lambda: scene.poisoned() == ["plain text!"], "the message is poison")
        wait_until(lambda: scene.count() == 0, "the message was deleted")
        assert seen(host) == []


def test_without_message_encoding_text_is_taken_as_it_is(scene: Scene) -> None:
    with scene.start(messageEncoding="none") as host:
        scene.queue.send_message("plain text!")
        wait_until(lambda: done(host) == ["plain text!"], "the message was run")


def test_batch_size_and_threshold_limit_what_runs_at_once(scene: Scene) -> None:
    with scene.start(batchSize=2, newBatchThreshold=1) as host:
        most = 0
        scene.send("sleep 4", *(f"sleep 0.3 {number}" for number in range(6)))  # one that is there all the time

        def all_done() -> bool:
            nonlocal most
            log = list(host.raw)
            running = sum(line.startswith("SEEN ") for line in log) - sum(line.startswith("DONE ") for line in log)
            most = max(most, running)
            return len(done(host)) == 7

        wait_until(all_done, "all messages were run")
        assert most == 3


def test_a_long_running_message_is_delivered_once(scene: Scene) -> None:
    with scene.start("--lease", "2") as host:
        scene.send("sleep 6")
        wait_until(lambda: done(host) == ["sleep 6"], "the message was run")
        wait_until(lambda: scene.count() == 0, "the message was deleted")
        assert [one.attempt for one in seen(host)] == [1]


def test_an_idle_queue_is_looked_at_within_the_polling_interval(scene: Scene) -> None:
    with scene.start(maxPollingInterval="00:00:01") as host:
        scene.send("warm up")
        wait_until(lambda: done(host) == ["warm up"], "the first message was run")
        time.sleep(2.5)  # the queue must be idle for a while: that is what is measured
        scene.send("later")
        assert seconds_until(lambda: "later" in done(host), "the second message was run") < 5


def test_a_missing_queue_is_made_at_start_and_again_when_it_was_deleted(scene: Scene) -> None:
    with scene.start() as host:
        assert scene.count() == 0
        scene.queue.delete_queue()

        def sent() -> bool:
            try:
                scene.send("again")
            except ResourceNotFoundError:
                return False
            return True

        wait_until(sent, "the queue is there again")
        wait_until(lambda: done(host) == ["again"], "the message was run")


def test_a_poison_queue_can_have_a_trigger_and_has_no_poison_queue_itself(scene: Scene) -> None:
    code = CODE.replace("%QUEUE%", "%QUEUE%-poison")
    with scene.start(code=code, maxDequeueCount=1, visibilityTimeout="00:00:00") as host:
        scene.poison.send_message(base64.b64encode(b"fail").decode())
        wait_until(lambda: len(seen(host)) >= 3, "tried again and again")
        assert not any(queue.name == f"{scene.name}-poison-poison" for queue in scene.service.list_queues())


def test_a_stopping_host_gives_messages_back(scene: Scene) -> None:
    with scene.start(visibilityTimeout="00:00:01") as host:
        scene.send("sleep 60")
        wait_until(lambda: len(seen(host)) == 1, "the message runs")
        assert host.stop() == 0
    with scene.start(visibilityTimeout="00:00:01") as again:
        wait_until(lambda: [one.attempt for one in seen(again)] == [2], "the message came back")


def test_bytes_when_the_binding_says_binary(scene: Scene) -> None:
    code = CODE.replace('"AzureWebJobsStorage")', '"AzureWebJobsStorage", data_type=func.DataType.BINARY)').replace(
        "message.get_body().decode()", "message.get_body().hex()"
    )
    with scene.start(code=code) as host:
        scene.queue.send_message(base64.b64encode(b"\x00\xff").decode())
        wait_until(lambda: done(host) == ["00ff"], "the message was run")


def test_two_functions_on_one_app_do_not_wait_for_each_other(scene: Scene) -> None:
    second = CODE[CODE.index("@app.queue_trigger") :].replace("def work", "def other").replace("%QUEUE%", "%QUEUE%-b")
    with scene.start(code=CODE + second, batchSize=1, newBatchThreshold=0) as host:
        scene.send("sleep 20")
        wait_until(lambda: len(seen(host)) == 1, "the first function runs")
        other = scene.service.get_queue_client(f"{scene.name}-b")
        other.send_message(base64.b64encode(b"quick").decode())
        wait_until(lambda: done(host) == ["quick"], "the second one was run meanwhile", seconds=15)
