import ArgumentParser
import AuditRunner
import Checkpoints
import Diagnostics
import Foundation
import Tokenizers

/// `tokenize --checkpoint NAME|PATH FILE`: token ids of every line.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Prints the token ids of every line of a file.",
    discussion:
      "Lines end at LF only; an empty line gives an empty array. Special-token strings are matched, as Hugging Face does, unless --plain.")

  @Option(help: "A fetched checkpoint's name, a GGUF file or a Hugging Face folder.")
  var checkpoint: String

  @Argument(help: "The file, or - for standard input.", completion: .file())
  var file: String

  @Flag(help: "Treat special-token strings in the text as plain characters.")
  var plain = false

  @Option(help: "json prints one array of ids a line; text prints ids separated by spaces.")
  var format: OutputFormat = .text

  @OptionGroup var workspace: WorkspaceOptions

  func run() throws {
    let tokenizer = try TokenizerLoader.load(from: Checkpoint.open(at: LoadedModel.path(checkpoint, in: workspace.store)))
    let data: Data
    if file == "-" {
      data = FileHandle.standardInput.readDataToEndOfFile()
    } else {
      guard let read = FileManager.default.contents(atPath: file) else { throw Fault(.missingInput, "the file cannot be read", at: file) }
      data = read
    }
    var lines = data.split(separator: 0x0A, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    guard !lines.isEmpty else { throw Fault(.invalidData, "the file is empty", at: file) }
    for (number, line) in lines.enumerated() {
      guard let text = String(validating: line, as: UTF8.self) else {
        throw Fault(.invalidData, "not valid UTF-8", at: "\(file):\(number + 1)")
      }
      let ids = tokenizer.encode(text, parsingSpecial: !plain).map(String.init)
      try Output.write(format == .json ? "[\(ids.joined(separator: ","))]\n" : ids.joined(separator: " ") + "\n")
    }
  }
}
