import Foundation
import Tasks

/// One made-up file of each task whose data is one file, in its official form.
let generationSamples: [GenerationTask: String] = [
  .aclsum: #"""
  {"id": "P99-1001", "title": "On x", "summary": {"challenge": "Parsing is hard.", "approach": "They parse.\n", "outcome": "It works."}, "sentences": {"abstract": ["We parse .", "It works ."], "introduction": ["Parsing is hard ."], "conclusion": []}, "highlights": {}}
  {"id": "P99-1002", "summary": {"outcome": "Nothing.", "challenge": null}, "sentences": {"abstract": ["No ."]}}
  """#,
  .debian: """
  Package: tidy
  Description-md5: 0123
  Description-en: tool that tidies
   Tidy puts things
   in order.
   .
   It has:
    * shelves;
    * boxes.

  Package: tidy-doc
  Description-md5: 4567
  Description-en: tool that tidies (manual)
   Tidy puts things in order.
   .
   This is the manual.

  Package: bare
  Description-md5: 89ab
  Description-en: nothing but a synopsis

  Package: other
  Description-md5: cdef
  Description-en: something else
   Quite another thing: really.

  """,
  .coqa: #"""
  {"version": "1.0", "data": [{"source": "mctest", "id": "3abc", "filename": "x.txt", "story": "Ann has a cat.\nIt is red. ",
   "questions": [{"input_text": "Who has a cat?", "turn_id": 1}, {"input_text": "What colour is it?", "turn_id": 2}],
   "answers": [{"span_start": 0, "span_end": 3, "span_text": "Ann", "input_text": "Ann", "turn_id": 1},
    {"span_start": 15, "span_end": 25, "span_text": "It is red.", "input_text": "Red", "turn_id": 2}],
   "additional_answers": {"1": [{"span_text": "", "input_text": "It's red.", "turn_id": 1}, {"input_text": "deep red", "turn_id": 2}],
    "0": [{"input_text": "Ann does", "turn_id": 1}, {"input_text": "red", "turn_id": 2}]}, "name": "x"},
   {"id": "3def", "story": "Bob ran.", "questions": [{"input_text": "Who ran?", "turn_id": 1}],
    "answers": [{"input_text": "Bob", "turn_id": 1}]}]}
  """#,
  .chitchat: #"""
  {"c2": {"ratings": {}, "messages": [[{"text": "Hello", "sender": "u"}, {"text": "there", "timestamp": "", "sender": "u"}],
    [{"text": " Hi\nyou ", "sender": "v"}], [{"text": " ", "sender": "u"}], [{"text": "Fine", "sender": "u"}], [{"text": "5", "sender": "v"}],
    [{"text": "6", "sender": "u"}], [{"text": "7", "sender": "v"}], [{"text": "8", "sender": "u"}], [{"text": "9", "sender": "v"}]]},
   "c1": {"messages": [[{"text": "Anyone?", "sender": "u"}]]}, "c0": {"messages": []}}
  """#,
]

let xsumArticle = """
  [SN]URL[SN]
  http://news.example/1

  [SN]TITLE[SN]
  Flood

  [SN]FIRST-SENTENCE[SN]
  A river has flooded
  a town.

  [SN]RESTBODY[SN]
  Share this with
  Email
  The river rose [SN] at night.
  "It was fast," a woman said.
  """

/// The examples of one sample file.
func generationSample(_ task: GenerationTask) throws -> [GenerationExample] {
  try task.examples(of: Array((generationSamples[task] ?? "").utf8), named: "f")
}

/// Calls `body` with a new folder that holds the files, and removes it.
func withFolder<T>(_ files: [String: String], _ body: (_ folder: String) throws -> T) throws -> T {
  let folder = FileManager.default.temporaryDirectory.appending(path: "generation-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: folder) }
  for (name, text) in files {
    let file = folder.appending(path: name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }
  return try body(folder.path)
}

/// The name of XSum's official split file.
let xsumSplit = "XSum-TRAINING-DEV-TEST-SPLIT-90-5-5.json"
