import ArgumentParser
import AuditRunner
import Diagnostics
import Foundation
import Kernels

/// The root of the command line. stdout is data, stderr is talk.
struct FedseaAudit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fedsea-audit",
    abstract: "Audits the privacy of a split LLaMA: what does the server read from the hidden states it receives?",
    discussion: """
      Start with: fedsea-audit fetch checkpoint smollm2-135m-instruct && fedsea-audit run attacks/quickstart.yaml
      Exit codes: 0 ok, 1 failure, 10 leakage above --fail-above, 64 usage, 65 bad plan or data, 66 missing input, 69 registry unreachable, \
      70 internal error, 73 and 74 cannot write, 130 interrupted.
      """,
    version: "fedsea-audit \(Version.current)",
    subcommands: [
      RunCommand.self, TrainCommand.self, ValidateCommand.self, ListCommand.self, FetchCommand.self, TokenizeCommand.self,
      GenerateCommand.self, DumpCommand.self, AttackCommand.self, ScoreCommand.self, ReportCommand.self, DoctorCommand.self,
    ])
}

@main
enum Main {
  static func main() {
    Terminal.fillClosedStreams()
    Compute.keepFreedMemory()
    do {
      var command = try FedseaAudit.parseAsRoot()
      try command.run()
    } catch let fault as Fault {
      Terminal.say("\(Terminal.red("error:")) \(fault)")
      exit(fault.code.rawValue)
    } catch {
      FedseaAudit.exit(withError: error)
    }
  }
}
