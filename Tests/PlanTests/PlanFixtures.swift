import Audit
import Foundation

/// The project's folder.
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// Names as the catalogs will give them.
let known = KnownNames(
  checkpoints: ["smollm2-135m-instruct"],
  datasets: [
    "state-of-the-union": ["private", "public"], "chitchat": ["private", "public"], "presidio-pii": ["private", "public"],
    "prose-and-dialogue": ["private", "public"],
  ],
  defenses: ["none": KnownMethod(), "gaussian": KnownMethod(takesNoise: true)],
  attacks: [
    "uniform": KnownMethod(), "unigram": KnownMethod(), "language-model": KnownMethod(),
    "nearest-embedding": KnownMethod(settings: ["distance": .choice(["cosine", "l2"]), "centered": .integer(0...1)]),
    "head-reading": KnownMethod(), "anchors": KnownMethod(),
    "external": KnownMethod(settings: ["command": .words, "label": .text, "time_limit": .number(0.1...604_800)]),
    "sequential-matching": KnownMethod(settings: ["beam": .integer(1...64), "prior_weight": .number(0...10), "exhaustive": .flag]),
  ],
  metrics: [
    "token_accuracy", "exact_match", "rouge2_f", "bleu4", "bits_per_token", "rare_token_accuracy", "content_word_accuracy", "pii_recall",
    "pii_recall_fuzzy", "pii_recall_name", "pii_recall_email", "pii_recall_phone", "pii_recall_id", "pii_recall_date", "pii_recall_address",
  ],
  inference: [
    "distinguishing-game": KnownMethod(settings: [
      "trials": .integer(10...1_000_000), "tokens": .integer(1...4_096), "differ": .choice(["document", "first-token", "last-token"]),
    ]),
    "membership-loss": KnownMethod(settings: ["source": .choice(["observed", "weights"]), "calibration": .choice(["ratio", "none"])]),
    "membership-rmia": KnownMethod(), "membership-attention": KnownMethod(), "attribute": KnownMethod(), "metadata-length": KnownMethod(),
    "metadata-answer": KnownMethod(), "zero-row-decoy": KnownMethod(),
  ])

/// A small valid plan; line numbers are asserted in tests.
let small = """
  plan: tiny
  model: {checkpoint: smollm2-135m-instruct, partition: {input: 2, output: 1}}
  dataset:
    name: state-of-the-union
    limit: 3
  defense: {name: gaussian, relative: 0.9}
  attack: {name: sequential-matching, beam: 4}
  metrics: [token_accuracy]
  seeds: [1, 2]
  """

func plan(_ text: String) throws -> AuditPlan { try AuditPlan(yaml: text, origin: "attacks/x.yaml", known: known) }
