import Tasks

/// One made-up line of each task in its official form.
let sampleLines: [SuperGLUETask: String] = [
  .boolq: #"{"question": "is the lake deep", "passage": "The lake is 90 m deep.", "idx": 0, "label": true}"#,
  .cb: #"{"premise": "He thinks it rained.", "hypothesis": "it rained", "label": "neutral", "idx": 1}"#,
  .copa:
    #"{"premise": "The cup fell.", "choice1": "It broke.", "choice2": "It sang.", "question": "effect", "label": 0, "idx": 2}"#,
  .rte: #"{"premise": "All dogs bark.", "hypothesis": "Rex, a dog, barks.", "label": "entailment", "idx": 3}"#,
  .wic:
    #"{"word": "bank", "sentence1": "A river bank.", "sentence2": "A savings bank.", "idx": 4, "label": false, "#
    + #""start1": 8, "start2": 10, "end1": 12, "end2": 14, "version": 1.1}"#,
  .wsc:
    #"{"text": "Ann thanked Eve, for she (\"she!\") had helped.", "target": {"span2_index": 5, "span1_index": 2, "#
    + #""span1_text": "Eve", "span2_text": "she"}, "idx": 5, "label": true}"#,
  .multirc:
    #"{"idx": 6, "version": 1.1, "passage": {"text": "Tom ate figs and nuts. ", "questions": ["#
    + #"{"question": "What did Tom eat?", "answers": [{"text": "Figs", "idx": 0, "label": 1}, {"text": "Soup", "idx": 1, "label": 0}, "#
    + #"{"text": "", "idx": 2, "label": 0}], "idx": 0}, "#
    + #"{"question": "Who ate?", "answers": [{"text": "Tom", "idx": 3, "label": 1}], "idx": 1}]}}"#,
  .record:
    #"{"source": "made up", "passage": {"text": "Zoë met Li in Rome.\n@highlight\nLi left", "entities": ["#
    + #"{"start": 0, "end": 2}, {"start": 8, "end": 9}, {"start": 14, "end": 17}, {"start": 31, "end": 32}]}, "qas": ["#
    + #"{"query": "@placeholder went home.", "answers": [{"start": 8, "end": 9, "text": "Li"}, {"start": 0, "end": 2, "text": "Zoë"}], "idx": 0}, "#
    + #"{"query": "It was in @placeholder.", "answers": [{"start": 14, "end": 17, "text": "Rome"}], "idx": 1}], "idx": 7}"#,
]

/// The examples of one sample line.
func sample(_ task: SuperGLUETask) throws -> [TaskExample] {
  try task.examples(of: Array((sampleLines[task] ?? "").utf8), named: "val.jsonl")
}

/// Made-up examples of three choices with these labels, four a source.
func madeUp(_ labels: [Int]) -> [TaskExample] {
  labels.enumerated().map { index, label in
    TaskExample(id: "\(index)", source: "s\(index / 4)", prompt: "\(index)?", choices: [" no", " yes", " maybe"], label: label)
  }
}

/// A seeded generator for mutations.
struct Draws {
  var state: UInt64
  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }
}
