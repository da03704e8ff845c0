package import Audit
import Checkpoints
import Defenses
import Kernels
package import Llama
import Privacy
package import PrivateText
import SplitLearning

extension SplitExchange.Setting {
  /// What a cell of a plan says about the exchange.
  package init(_ plan: AuditPlan, _ model: LlamaModel, _ defense: PreparedDefense, seed: Int) {
    self.init(model, plan.model.partition, defense, channels: plan.threatModel.channels)
    gradientProtector = plan.gradientDefense.map { GradientNoise($0, seed: UInt64(seed)) }
    gradientStatement = plan.gradientDefense.map(GradientNoise.law) ?? .none
    capture = plan.capture ?? CapturePlan()
    responses = plan.dataset.responses
  }
}

extension SplitExchange {
  /// Bytes of the channels' values in view.h5, before it is written; chunks and attributes add less than a hundredth and 200 KiB a channel.
  package static func predictedBytes(_ setting: Setting, _ documents: [PrivateDocument], precision: ViewPrecision) throws -> Int {
    let tokens = documents.reduce(0) { $0 + $1.tokens.count + setting.responses }
    let together = setting.responses > 0 ? 1 : setting.capture.batch
    let messages = (documents.count + together - 1) / together
    let queryRows = setting.model.configuration.heads * setting.model.configuration.headDimension
    let values = try descriptions(setting, longest: documents.map(\.tokens.count).max() ?? 0).reduce(0) { total, entry in
      total + entry.value.columns * (entry.key.isPerToken ? tokens : messages * queryRows)
    }
    return values * (precision == .f16 ? 2 : 4)
  }
}
