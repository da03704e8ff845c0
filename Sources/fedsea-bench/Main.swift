import ArgumentParser

@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "fedsea-bench", abstract: "Measures kernels, model and attacks.")
}
