"""What a prior has to beat: code frequencies, the code that was there before, and what follows it.

All are proper distributions fitted on the training codes, so their nats compare with a prior's.

Shapes: K codes of a codebook.
"""

from dataclasses import dataclass

import torch

from foreframe.metrics.code_counts import CodeCounts

# The bracket of the search below halves 60 times: to the last bits of a float64.
HALVINGS = 60


@dataclass(frozen=True)
class CodeBaselines:
    """Three distributions over the next code.

    Attributes:
        unigram: p(k) = (n_k + 1) / (n + K), float64 (K,): training frequencies, add-one smoothed.
        escape: e of copy-previous, p(k) = (1 - e) [k is the previous code] + e p_unigram(k).
        bigram: p(k | previous code j), float64 (K, K): row j, column k.
    """

    unigram: torch.Tensor
    escape: float
    bigram: torch.Tensor

    def copy_previous(self, previous: int) -> torch.Tensor:
        """Return the distribution (K,) of a code that follows `previous` at the same place."""
        result = self.escape * self.unigram
        result[previous] += 1 - self.escape
        return result

    def unigram_nats(self, counts: CodeCounts) -> float:
        """Return the mean -log p of a set's codes under the unigram, in nats for each code."""
        total_K = counts.total()
        return float(-(total_K * self.unigram.log()).sum() / total_K.sum())

    def copy_previous_nats(self, counts: CodeCounts) -> float:
        """Return the mean -log p of a set's codes under copy-previous, in nats for each code.

        A clip's first code-frame has no previous one and is scored by the unigram.
        """
        changed_K = self.escape * self.unigram
        same_K = 1 - self.escape + changed_K
        log_likelihood = (
            (counts.first_K * self.unigram.log()).sum()
            + (counts.changed() * changed_K.log()).sum()
            + (counts.same() * same_K.log()).sum()
        )
        return float(-log_likelihood / counts.total().sum())

    def bigram_nats(self, counts: CodeCounts) -> float:
        """Return the mean -log p of a set's codes under the bigram, in nats for each code.

        A clip's first code-frame has no previous one and is scored by the unigram.
        """
        log_likelihood = (counts.first_K * self.unigram.log()).sum()
        log_likelihood += (counts.after_KK * self.bigram.log()).sum()
        return float(-log_likelihood / counts.total().sum())


def fit(training: CodeCounts) -> CodeBaselines:
    """Fit the baselines on the counts of the training codes."""
    total_K = training.total()
    unigram = (total_K + 1).double() / (total_K.sum() + len(total_K))
    return CodeBaselines(unigram, _escape(training, unigram), _bigram(training, unigram))


def _bigram(training: CodeCounts, unigram: torch.Tensor) -> torch.Tensor:
    """Return p(k | j) = (n_jk + u_j p_unigram(k)) / (n_j + u_j), float64 (K, K).

    n_jk counts k after j, n_j its sum over k, and u_j how many different codes came after j: the
    more of them, the likelier is yet another one (Witten and Bell 1991, method C). After a code
    that nothing ever followed, only the unigram is known.
    """
    kinds_K1 = (training.after_KK > 0).sum(dim=1, keepdim=True).clamp(min=1)
    followed_K1 = training.after_KK.sum(dim=1, keepdim=True)
    return (training.after_KK + kinds_K1 * unigram) / (followed_K1 + kinds_K1)


def _escape(training: CodeCounts, unigram: torch.Tensor) -> float:
    """Return the e in (0, 1] that makes the training codes most likely.

    The log-likelihood n_changed ln e + sum_k same_k ln(1 - e (1 - p_k)) is concave in e, so its
    slope falls through 0 once. One change more than seen is counted, so that e is never 0 and no
    code is impossible, even after a training set in which nothing moves.
    """
    changed = int(training.changed().sum()) + 1
    same_K = training.same()

    def slope(e: float) -> float:
        repeats = same_K * (1 - unigram) / (1 - e * (1 - unigram))
        return changed / e - float(repeats.sum())

    low, high = 0.0, 1.0
    if slope(high) >= 0:
        return high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return high
