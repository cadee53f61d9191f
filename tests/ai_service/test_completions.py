"""The language model path against servers that answer as llama.cpp, Ollama, vLLM and OpenAI do."""

import asyncio
import contextlib
import email.utils
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from riskscan.ai_service.llm import LanguageModel, LanguageModelError
from riskscan.ai_service.settings import Settings

KEY = "sk-very-secret"
Refusal = tuple[int, dict[str, str], Any]


class Kind(NamedTuple):
    """What a kind of server answers; members are what its completions have more than others."""

    context: Refusal
    schema: Refusal
    busy: Refusal
    key: Refusal
    model: Refusal
    members: dict[str, Any]


def llama_cpp(status: int, kind: str, message: str, **members: int) -> Refusal:
    return status, {}, {"error": {"code": status, "message": message, "type": kind, **members}}


def ollama(status: int, kind: str, message: str) -> Refusal:
    return status, {}, {"error": {"message": message, "type": kind, "param": None, "code": None}}


def vllm(status: int, kind: str, message: str) -> Refusal:
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": status}
    return status, {}, body


def openai(
    status: int, message: str, code: str | None, parameter: str | None = None, **headers: str
) -> Refusal:
    error = {"message": message, "type": "invalid_request_error", "param": parameter, "code": code}
    return status, headers, {"error": error}


KINDS = {
    "llama.cpp": Kind(
        llama_cpp(
            400,
            "exceed_context_size_error",
            "request (1407 tokens) exceeds the available context size (512 tokens), try increasing it",
            n_prompt_tokens=1407,
            n_ctx=512,
        ),
        llama_cpp(400, "invalid_request_error", "Failed to initialize samplers: failed to parse grammar"),
        llama_cpp(503, "unavailable_error", "Loading model"),
        llama_cpp(401, "authentication_error", "Invalid API Key"),
        llama_cpp(404, "not_found_error", "File Not Found"),
        {"timings": {"prompt_n": 40, "predicted_n": 9}, "__verbose": {"n_ctx": 512}},
    ),
    "Ollama": Kind(
        ollama(400, "invalid_request_error", "the input length exceeds the context length"),
        ollama(500, "api_error", "failed to load model vocabulary required for format"),
        ollama(503, "api_error", "server busy, please try again.  maximum pending requests exceeded"),
        ollama(401, "api_error", "unauthorized"),
        ollama(404, "not_found_error", 'model "huge" not found, try pulling it first'),
        {"system_fingerprint": "fp_ollama"},
    ),
    "vLLM": Kind(
        vllm(
            400,
            "BadRequestError",
            "This model's maximum context length is 4096 tokens. However, you requested 6379 tokens (6029 in"
            " the messages, 350 in the completion). Please reduce the length of the messages or completion.",
        ),
        vllm(
            400,
            "BadRequestError",
            "The provided JSON schema contains features not supported by xgrammar.",
        ),
        (503, {"Retry-After": "0"}, "Service Unavailable"),
        (401, {}, {"error": "Unauthorized"}),
        vllm(404, "NotFoundError", "The model `huge` does not exist."),
        {"prompt_logprobs": None, "kv_transfer_params": None},
    ),
    "OpenAI": Kind(
        openai(
            400,
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9100"
            " tokens. Please reduce the length of the messages.",
            "context_length_exceeded",
            "messages",
        ),
        openai(
            400,
            "Invalid schema for response_format 'risks': In context=('properties', 'risks'), 'maxItems' is"
            " not permitted.",
            None,
            "response_format",
        ),
        openai(
            429,
            "Rate limit reached for tiny on tokens per min (TPM): Limit 30000, Used 29900, Requested 400.",
            "rate_limit_exceeded",
            **{"Retry-After": "0"},
        ),
        openai(401, f"Incorrect API key provided: {KEY}.", "invalid_api_key"),
        openai(404, "The model `huge` does not exist or you do not have access to it.", "model_not_found"),
        {"service_tier": "default", "system_fingerprint": "fp_44709d6fcb"},
    ),
}


class ModelServer:
    """A server of a kind with a model that reports the sentences about sinking.

    It refuses longer prompts than its context, in characters, and cuts answers about more than `longest`
    sentences off.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.requests: list[dict[str, Any]] = []
        self.refusals: list[Refusal] = []
        self.refused_formats: tuple[str, ...] = ()
        self.context = 100_000
        self.longest = 100
        self.message: dict[str, Any] = {}
        self.key = KEY

    async def handle(self, request: web.Request) -> web.StreamResponse:
        payload = await request.json()
        self.requests.append(payload)
        refusal = self.refuse(payload, request.headers.get("Authorization"))
        if refusal:
            status, headers, body = refusal
            return web.json_response(body, status=status, headers=headers)
        lines = payload["messages"][1]["content"].splitlines()
        numbers = [int(line.partition(":")[0]) for line in lines if "sinks" in line]
        risks = [{"sentence": n, "risk": "Pier sinks", "category": "Technical"} for n in numbers]
        cut_off = len(lines) > self.longest
        content = json.dumps({"risks": risks})[: 9 if cut_off else None]
        return web.json_response(self.complete(content, "length" if cut_off else "stop"))

    def refuse(self, payload: dict[str, Any], authorization: str | None) -> Refusal | None:
        if authorization != f"Bearer {self.key}":
            return self.kind.key
        if payload["model"] != "tiny":
            return self.kind.model
        if self.refusals:
            return self.refusals.pop(0)
        if payload.get("response_format", {}).get("type") in self.refused_formats:
            return self.kind.schema
        return self.kind.context if len(payload["messages"][1]["content"]) > self.context else None

    def complete(self, content: str, finish_reason: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": content} | self.message
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1764446400,
            "model": "tiny",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49},
        } | self.kind.members

    def formats(self) -> list[str | None]:
        """Return the response format of each request."""
        return [request.get("response_format", {}).get("type") for request in self.requests]

    def sizes(self) -> list[int]:
        """Return the number of sentences of each request."""
        return [len(request["messages"][1]["content"].splitlines()) for request in self.requests]


@contextlib.asynccontextmanager
async def connect(
    server: ModelServer, seconds_between_probes: float = 1000, **settings: Any
) -> AsyncIterator[LanguageModel]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    values = {"llm_model": "tiny", "llm_api_key": KEY} | settings
    async with TestServer(app) as started, aiohttp.ClientSession() as session:
        url = str(started.make_url("/v1"))
        model = LanguageModel(session, Settings(llm_base_url=url, **values), seconds_between_probes)
        yield model
        await model.close()


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> ModelServer:
    return ModelServer(KINDS[request.param])


@pytest.fixture
def openai_server() -> ModelServer:
    return ModelServer(KINDS["OpenAI"])


def poles(count: int, *sinking: int) -> list[str]:
    """Return sentences of which some are about sinking."""
    return [f"Pier {n} sinks." if n in sinking else f"Pole {n} was painted." for n in range(count)]


async def read(
    model: LanguageModel, sentences: list[str], seconds: float = 45
) -> tuple[list[int], list[int], str]:
    """Return the positions that the model reported, those that it did not read, and why."""
    named, unread, cause = await model.find_risks("alice", sentences, seconds)
    assert [item.context for item in named] == [sentences[item.position] for item in named]
    return [item.position for item in named], unread, cause


# -- what every kind does --------------------------------------------------------------------------


async def test_an_answer_is_bounded_by_the_number_of_sentences(server: ModelServer) -> None:
    async with connect(server) as model:
        assert await read(model, poles(60, 4, 59)) == ([4, 59], [], "")
        assert await read(model, poles(2, 1)) == ([1], [], "")
    long, short = server.requests
    for request, count in ((long, 60), (short, 2)):
        risks = request["response_format"]["json_schema"]["schema"]["properties"]["risks"]
        number = risks["items"]["properties"]["sentence"]
        assert (number["minimum"], number["maximum"]) == (1, count)
        assert count < risks["maxItems"] < count + 10
    assert short["max_tokens"] < 500 < long["max_tokens"] < 4000


async def test_a_chunk_that_exceeds_the_context_is_halved_and_keeps_the_schema(server: ModelServer) -> None:
    server.context = 600
    async with connect(server) as model:
        assert await read(model, poles(60, 2, 41)) == ([2, 41], [], "")
    assert server.sizes() == [60, 30, 15, 15, 30, 15, 15]
    assert set(server.formats()) == {"json_schema"}


async def test_a_refused_schema_is_left_out_from_then_on(server: ModelServer) -> None:
    server.refused_formats = ("json_schema",)
    async with connect(server) as model:
        for _ in range(2):
            assert await read(model, poles(3, 1)) == ([1], [], "")
        server.refused_formats = ("json_schema", "json_object")
        assert await read(model, poles(3, 1)) == ([1], [], "")
        assert await read(model, poles(3, 1)) == ([1], [], "")
    assert server.formats() == ["json_schema", "json_object", "json_object", "json_object", None, None]


async def test_a_wrong_key_is_an_error_in_the_log_once_and_not_tried_again(
    server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(server, llm_api_key="sk-wrong") as model:
        for _ in range(3):
            with pytest.raises(LanguageModelError):
                await read(model, poles(3))
        assert model.paused
    assert len(server.requests) == 1
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [error.getMessage() for error in errors] == [
        "state=paused cause=the language model failed: it refuses the key (status 401)"
    ]
    assert "sk-" not in caplog.text


async def test_an_unknown_model_is_not_tried_again(server: ModelServer) -> None:
    async with connect(server, llm_model="huge") as model:
        with pytest.raises(LanguageModelError, match="does not know the model"):
            await read(model, poles(3))
    assert len(server.requests) == 1


async def test_a_busy_server_is_asked_again(server: ModelServer) -> None:
    server.refusals = [server.kind.busy]
    async with connect(server) as model:
        assert await read(model, poles(3, 1)) == ([1], [], "")
    assert server.formats() == ["json_schema", "json_schema"]


async def test_an_answer_that_is_cut_off_is_asked_for_in_halves(server: ModelServer) -> None:
    server.longest = 2
    async with connect(server) as model:
        assert await read(model, poles(5, 0, 4)) == ([0, 4], [], "")
    assert server.sizes() == [5, 2, 3, 1, 2]
    limits = [request["max_tokens"] for request in server.requests]
    assert limits[1] < limits[0]


# -- what some endpoints do ------------------------------------------------------------------------

OTHER_CONTEXT_ERRORS = {
    "llama.cpp of 2024": llama_cpp(
        500, "server_error", "the request exceeds the available context size. try increasing the context size"
    ),
    "vLLM since 0.10": (
        400,
        {},
        {
            "error": {
                "message": "This model's maximum context length is 4096 tokens. However, your request has"
                " 5000 input tokens. Please reduce the length of the input messages.",
                "type": "BadRequestError",
                "param": "input_tokens",
                "code": 400,
            }
        },
    ),
    "vLLM with max_tokens": vllm(400, "BadRequestError", "max_tokens must be at least 1, got -186."),
    "llama-cpp-python": openai(400, "Requested tokens (2285) exceed context window of 2048", None),
    "more tokens than a minute has": openai(
        429, "Request too large for tiny on tokens per min (TPM): Limit 200, Requested 900.", None
    ),
    "a proxy": (413, {}, "<html>413 Request Entity Too Large</html>"),
    "an error in a response that has begun": (
        200,
        {},
        {"error": {"code": 400, "type": "exceed_context_size_error", "message": "too many"}},
    ),
}


@pytest.mark.parametrize("name", OTHER_CONTEXT_ERRORS)
async def test_other_ways_to_say_that_a_prompt_is_too_long_are_known(
    openai_server: ModelServer, name: str
) -> None:
    openai_server.refusals = [OTHER_CONTEXT_ERRORS[name]]
    async with connect(openai_server) as model:
        assert await read(model, poles(4, 1)) == ([1], [], "")
    assert openai_server.sizes() == [4, 2, 2]
    assert set(openai_server.formats()) == {"json_schema"}


async def test_parameters_that_newer_models_refuse_are_replaced(openai_server: ModelServer) -> None:
    openai_server.refusals = [
        openai(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
            " 'max_completion_tokens' instead.",
            "unsupported_parameter",
            "max_tokens",
        ),
        openai(
            400,
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value"
            " is supported.",
            "unsupported_value",
            "temperature",
        ),
    ]
    async with connect(openai_server) as model:
        for _ in range(2):
            assert await read(model, poles(3, 1)) == ([1], [], "")
    assert set(openai_server.formats()) == {"json_schema"}
    assert [
        {"max_tokens", "max_completion_tokens", "temperature"} & request.keys()
        for request in openai_server.requests
    ] == [
        {"max_tokens", "temperature"},
        {"max_completion_tokens", "temperature"},
        {"max_completion_tokens"},
        {"max_completion_tokens"},
    ]


@pytest.mark.parametrize("message", [{"reasoning_content": "The first"}, {"content": ""}])
async def test_a_model_that_reasons_first_gets_more_tokens(
    openai_server: ModelServer, message: dict[str, Any]
) -> None:
    openai_server.longest, openai_server.message = 0, message
    async with connect(openai_server) as model:
        with pytest.raises(LanguageModelError, match="cut off"):
            await read(model, poles(1))
        openai_server.longest, openai_server.message = 9, {}
        assert await read(model, poles(1, 0)) == ([0], [], "")
    first, *others = [request["max_tokens"] for request in openai_server.requests]
    assert len(others) == 2
    assert min(others) > first + 2000


async def test_a_failure_that_tells_nothing_does_not_cost_the_schema(openai_server: ModelServer) -> None:
    openai_server.refusals = [openai(400, "No.", None)] * 4
    async with connect(openai_server) as model:
        with pytest.raises(LanguageModelError, match="status 400"):
            await read(model, poles(3))
        assert await read(model, poles(3, 1)) == ([1], [], "")
    assert openai_server.formats() == ["json_schema", "json_object", None, None, "json_schema"]


async def test_a_schema_that_is_too_large_is_not_a_prompt_that_is_too_long(
    openai_server: ModelServer,
) -> None:
    message = "Invalid schema for response_format 'risks': it is too large."
    openai_server.refusals = [openai(400, message, None, "response_format")]
    async with connect(openai_server) as model:
        assert await read(model, poles(3, 1)) == ([1], [], "")
    assert openai_server.formats() == ["json_schema", "json_object"]


async def test_used_up_credit_is_not_tried_again(openai_server: ModelServer) -> None:
    message = "You exceeded your current quota, please check your plan and billing details."
    openai_server.refusals = [openai(429, message, "insufficient_quota")]
    async with connect(openai_server) as model:
        with pytest.raises(LanguageModelError, match="credit is used up"):
            await read(model, poles(3))
    assert len(openai_server.requests) == 1


async def test_retry_after_may_be_a_time(openai_server: ModelServer) -> None:
    past = email.utils.formatdate(time.time() - 60, usegmt=True)
    openai_server.refusals = [openai(503, "Overloaded.", None, **{"Retry-After": past})] * 2
    async with connect(openai_server) as model:
        assert await read(model, poles(3, 1)) == ([1], [], "")


async def test_a_server_that_says_to_wait_longer_than_there_is_time_is_not_waited_for(
    openai_server: ModelServer,
) -> None:
    openai_server.refusals = [openai(429, "Slow down.", None, **{"Retry-After": "60"})]
    async with connect(openai_server) as model:
        with pytest.raises(LanguageModelError, match="status 429"):
            await read(model, poles(3), seconds=50)
    assert len(openai_server.requests) == 1


# -- documents of many chunks ----------------------------------------------------------------------


async def test_chunks_that_came_are_kept_when_others_fail(server: ModelServer) -> None:
    server.refusals = [openai(500, "Sorry.", None, **{"Retry-After": "0"})] * 3
    async with connect(server, llm_parallel=1) as model:
        answer = await read(model, poles(150, 20, 80, 140))
    assert answer == ([80, 140], list(range(60)), "it responded with status 500")


async def test_a_sentence_that_never_gets_an_answer_costs_only_itself(server: ModelServer) -> None:
    sentences = poles(8, 1, 6)
    sentences[3] = "Too much " * 100
    server.context = 500
    async with connect(server) as model:
        positions, unread, cause = await read(model, sentences)
    assert (positions, unread) == ([1, 6], [3])
    assert "context is too small" in cause


async def test_a_model_that_always_rambles_is_soon_given_up(server: ModelServer) -> None:
    server.longest = 0
    async with connect(server, llm_parallel=1) as model:
        with pytest.raises(LanguageModelError, match="cut off"):
            await read(model, poles(300))
    assert len(server.requests) < 12


async def test_chunks_that_came_are_kept_when_time_runs_out(openai_server: ModelServer) -> None:
    answered = asyncio.Event()

    class Slow(ModelServer):
        async def handle(self, request: web.Request) -> web.StreamResponse:
            if "Pole 70 " in await request.text():
                await answered.wait()
                await asyncio.Event().wait()
            answered.set()
            return await super().handle(request)

    async with connect(Slow(KINDS["OpenAI"])) as model:
        answer = await read(model, poles(120, 5, 65), seconds=2)
    assert answer == ([5], list(range(60, 120)), "it did not respond in time")


async def test_all_scans_together_have_as_many_calls_as_the_setting_says() -> None:
    active = most = 0
    two = asyncio.Barrier(2)

    class Counting(ModelServer):
        async def handle(self, request: web.Request) -> web.StreamResponse:
            nonlocal active, most
            active += 1
            most = max(most, active)
            await two.wait()
            active -= 1
            return await super().handle(request)

    async with connect(Counting(KINDS["llama.cpp"]), llm_parallel=2) as model:
        await asyncio.gather(read(model, poles(120)), read(model, poles(120)))
    assert most == 2


# -- the circuit breaker ---------------------------------------------------------------------------

BROKEN = (500, {"Retry-After": "0"}, "Internal Server Error")


async def test_after_three_failed_scans_the_model_is_left_alone(
    server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(server) as model:
        server.refusals = [BROKEN] * 6
        for _ in range(2):
            with pytest.raises(LanguageModelError, match="status 500"):
                await read(model, poles(3))
        # one that succeeds in between counts
        assert await read(model, poles(3, 1)) == ([1], [], "")
        server.refusals = [BROKEN] * 9
        for _ in range(3):
            assert not model.paused
            with pytest.raises(LanguageModelError, match="status 500"):
                await read(model, poles(3))
        sent = len(server.requests)
        for _ in range(2):
            with pytest.raises(LanguageModelError, match="failed before"):
                await read(model, poles(3, 1))
        assert model.paused
        assert len(server.requests) == sent
    assert caplog.text.count("state=paused") == 1


async def test_a_probe_that_is_answered_ends_the_pause(server: ModelServer) -> None:
    server.refusals = [BROKEN] * 11
    async with connect(server, seconds_between_probes=0) as model:
        for _ in range(3):
            with pytest.raises(LanguageModelError):
                await read(model, poles(3))
        assert model.recovery
        await model.recovery
        # two probes failed
        assert server.sizes() == [3] * 9 + [1] * 3
        assert await read(model, poles(3, 1)) == ([1], [], "")


async def test_a_scan_with_little_time_left_does_not_count_as_failed(openai_server: ModelServer) -> None:
    async with connect(openai_server) as model:
        for _ in range(5):
            with pytest.raises(LanguageModelError, match="in time"):
                await read(model, poles(3), seconds=0)
        assert not model.paused
        assert await read(model, poles(3, 1)) == ([1], [], "")
