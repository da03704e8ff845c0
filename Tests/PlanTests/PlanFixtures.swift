import Audit
import Foundation

/// The project's folder.
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// Names as the catalogs will give them.
let known = KnownNames(
  checkpoints: ["smollm2-135m-instruct"],
  datasets: ["state-of-the-union": ["private", "public"], "chitchat": ["private", "public"]],
  defenses: ["none": KnownMethod(), "gaussian": KnownMethod(takesNoise: true)],
  attacks: [
    "uniform": KnownMethod(), "unigram": KnownMethod(), "language-model": KnownMethod(),
    "nearest-embedding": KnownMethod(settings: ["distance": .choice(["cosine", "l2"])]),
    "head-reading": KnownMethod(), "anchors": KnownMethod(),
    "sequential-matching": KnownMethod(settings: ["beam": .integer(1...64), "prior_weight": .number(0...10), "exhaustive": .flag]),
  ],
  metrics: ["token_accuracy", "exact_match", "rouge2_f", "bleu4"])

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
