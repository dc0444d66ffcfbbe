"""Stage join_scores: the scores of a protocol from what its shares have measured.

Their bytes are those that `evaluate` would have written, however many shares there are: whatever is
a sum over clips is taken here, clip by clip in their order. Nothing is drawn, and no frame is read.
"""

import json
from pathlib import Path

from foreframe.artefacts import facts
from foreframe.artefacts import scores as score_file
from foreframe.config import reading
from foreframe.config.compute import Compute
from foreframe.config.protocols import ProtocolSettings
from foreframe.errors import ArtefactError
from foreframe.evaluation import results, scoring, taped_likelihood, taping
from foreframe.evaluation import shares as share_files
from foreframe.evaluation.protocol import Protocol
from foreframe.evaluation.shares import SCORES, Shares
from foreframe.running import stage
from foreframe.running.compute import prepare
from stages.evaluate import few


def main(
    *, folder: Path, shares: Shares, weights: Path, compute: Compute, scores: Path, metrics: Path
) -> None:
    """Write what `evaluate` writes, from the files of `shares` in `folder`.

    Raises:
        ArtefactError: a share is missing, damaged, or of another protocol, predictor, data set or
            machine; or other weights of metrics are stored now.
    """
    # All sums over clips are taken by the CPU, in `evaluate` too.
    device = prepare(compute.model_copy(update={"device": "cpu"}))
    with share_files.opening(folder, shares, SCORES) as files:
        first = next(iter(files.values()))
        known = share_files.whole(first)
        protocol = reading.validate(ProtocolSettings, json.loads(known["asked"]), f"{folder}")
        described = Protocol.of(share_files.text(first, "protocol"), f"{folder}")
        found = scoring.metrics(protocol, weights, device)
        if taping.features(found) != known[taping.FEATURES]:
            raise ArtefactError(
                f"{folder} was measured with other weights than {weights} holds. {facts.CURE}"
            )
        clips = len(described.clip_starts)
        own = [share.rows(clips, int(known["batch"])) for share in files]
        measured = taping.replay(
            [
                (file, rows.stop - rows.start)
                for file, rows in zip(files.values(), own, strict=True)
            ],
            protocol,
            found,
            states=json.loads(known["states"]),
            futures=json.loads(known["futures"]),
            size=int(known["batch_size"]),
        )
        values = scoring.summarize(known["name"], described, measured)
        values |= taped_likelihood.replay(files, protocol, clips, known["likelihood_kind"])
        values |= {"settings": json.loads(known["settings"]), "weights": known["weights"]}
        environment = json.loads(known["environment"])
    facts.write(scores, results.SCHEMA, values | {"environment": environment})
    score_file.write(metrics, few(values))


if __name__ == "__main__":
    stage.run(main)
