import Audit
import AuditRunner
import LeakageMetrics
import PrivateText
import Testing

@Suite struct MessageScoringTests {
  /// Texts of one message in another order cost ROUGE-1 and not its matched form; texts never move between messages.
  @Test func onlyTextsOfOneMessageAreMatched() throws {
    let scene = try TinyScene(documents: 4)
    let scoring = Scoring(
      scene.documents, priors: nil, metrics: [RougeN(order: 1), MatchedRouge()], tokenizer: WordTokenizer(vocabularySize: 1000), seed: 1)
    var swapped = Reconstruction(tokens: scene.documents.map(\.tokens))
    // These two are equally long.
    swapped.tokens.swapAt(0, 3)
    func means(_ messages: [Int]) throws -> [Double] {
      let documents = try scoring.paired(swapped, messages: messages)
      return scoring.metrics.map { $0.estimate(documents, seed: 1)!.mean }
    }
    let (together, apart) = (try means([0, 4]), try means([0, 2, 4]))
    #expect(together[1] == 1 && together[0] < 0.8)
    #expect(apart[0] == together[0] && apart[1] < 0.8)
    #expect(try means([]).allSatisfy { $0 == together[0] })
  }
}
