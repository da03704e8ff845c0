import Datasets
import Diagnostics
import Fetching
import Foundation
import PrivateText
import Testing

@Suite struct CanaryTests {
  private let store = ArtifactStore(root: FileManager.default.temporaryDirectory)

  private func canaries(_ split: SourceSplit, seed: UInt64 = 1, count: Int = 60) throws -> [TextDocument] {
    let sampling = PassageSampling(count: count, minTokens: 20, maxTokens: 60, seed: seed)
    return try TextDataset.canaries.documents(split, in: store, sampling: sampling, tokenize: fourBytes).documents
  }

  @Test func everyDocumentHoldsOneSecretOfItsSpace() throws {
    for document in try canaries(.private) {
      #expect((20...60).contains(fourBytes(document.text).count))
      let span = try #require(document.spans?.first)
      #expect(document.spans?.count == 1 && span.kind == .secret)
      let secret = String(decoding: Array(document.text.utf8)[span.bytes], as: UTF8.self)
      let space = try #require(span.space)
      #expect((0..<space.count).contains { space.member($0) == secret }, "\(secret)")
      #expect(!document.text.contains("*"))
    }
  }

  /// The same seed gives the same secrets, another seed others; few documents are a prefix of many; halves share neither sentence nor secret stream.
  @Test func theyFollowTheSeedAndTheSplit() throws {
    let all = try canaries(.private)
    #expect(try canaries(.private) == all && canaries(.private, count: 5) == Array(all.prefix(5)))
    #expect(try canaries(.private, seed: 2) != all)
    func sentences(_ documents: [TextDocument]) -> Set<String> {
      Set(
        documents.flatMap { document -> [String] in
          let secret = String(decoding: Array(document.text.utf8)[document.spans![0].bytes], as: UTF8.self)
          return document.text.replacingOccurrences(of: secret, with: "*").components(separatedBy: ". ")
        }.map { $0.trimmingCharacters(in: .punctuationCharacters) })
    }
    #expect(sentences(all).isDisjoint(with: sentences(try canaries(.public))))
  }

  /// 200 draws from 10,000 collide rarely: a generator that is stuck would show.
  @Test func secretsDiffer() throws {
    let secrets = try canaries(.private, count: 200).map { String(decoding: Array($0.text.utf8)[$0.spans![0].bytes], as: UTF8.self) }
    #expect(Set(secrets).count > 190)
  }

  @Test func boundsThatLeaveNoRoomAreFaults() {
    let sampling = PassageSampling(count: 1, minTokens: 1, maxTokens: 2, seed: 1)
    #expect(throws: Fault.self) { try TextDataset.canaries.documents(.private, in: store, sampling: sampling, tokenize: fourBytes) }
  }
}

/// The real package, where `fedsea-audit fetch dataset presidio-pii` put it.
@Suite struct PresidioTests {
  static let store = ArtifactStore(
    root: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent(),
    datasets: DatasetCatalog.manifests)
  static let isFetched = (try? store.path(of: TextDataset.presidioPII.manifests[0])) != nil

  @Test(.enabled(if: isFetched, "fedsea-audit fetch dataset presidio-pii")) func marksStandWhereTheySay() throws {
    let sampling = PassageSampling(count: 150, minTokens: 20, maxTokens: 80, seed: 3)
    var kinds: Set<PrivateEntity.Kind> = []
    var texts: [SourceSplit: Set<String>] = [:]
    for split in SourceSplit.allCases {
      let set = try TextDataset.presidioPII.documents(split, in: Self.store, sampling: sampling, tokenize: fourBytes)
      #expect(set.documents.count == 150)
      for document in set.documents {
        #expect(!document.text.contains("{{") && !document.text.contains("\\n"))
        var end = 0
        for span in try #require(document.spans) {
          #expect(span.bytes.lowerBound >= end && !span.bytes.isEmpty)
          end = span.bytes.upperBound
          let text = String(decoding: Array(document.text.utf8)[span.bytes], as: UTF8.self)
          if span.kind == .email { #expect(text.contains("@") && !text.contains(" "), "\(text)") }
          if span.kind == .name { #expect(!text.contains("@")) }
          if [.email, .name].contains(span.kind), text.contains(" ") || text.contains("@") { texts[split, default: []].insert(text) }
          kinds.insert(span.kind)
        }
        #expect(end <= document.text.utf8.count)
      }
      #expect(try TextDataset.presidioPII.documents(split, in: Self.store, sampling: sampling, tokenize: fourBytes).sha256 == set.sha256)
    }
    #expect(kinds.isSuperset(of: [.name, .email, .phone, .id, .date, .address, .place, .organization, .demographic]))
    // No person of one half is in the other.
    #expect((texts[.private] ?? []).isDisjoint(with: texts[.public] ?? []))
  }

  @Test(.enabled(if: isFetched, "fedsea-audit fetch dataset presidio-pii")) func everybodyKnowsTheTemplates() throws {
    let sampling = PassageSampling(count: 430, minTokens: 4, maxTokens: 64, seed: 3)
    var templates: [SourceSplit: Set<String>] = [:]
    var names: [SourceSplit: Set<String>] = [:]
    for split in SourceSplit.allCases {
      let documents = try TextDataset.presidioTemplates.documents(split, in: Self.store, sampling: sampling, tokenize: fourBytes).documents
      #expect(documents.count == 430 && documents.allSatisfy { (4...64).contains(fourBytes($0.text).count) })
      #expect(documents.allSatisfy { $0.attribute != nil && $0.id.hasPrefix($0.attribute! + "/") && !$0.text.contains("{{") })
      templates[split] = Set(documents.compactMap(\.attribute))
      for document in documents {
        for span in document.spans ?? [] where span.kind == .email {
          names[split, default: []].insert(String(decoding: Array(document.text.utf8)[span.bytes], as: UTF8.self))
        }
      }
    }
    // Every template that a private document is made from is known, and no person is.
    #expect((templates[.private] ?? []).count > 150 && (templates[.private] ?? []).isSubset(of: templates[.public] ?? []))
    #expect((names[.private] ?? []).isDisjoint(with: names[.public] ?? []))
    let long = PassageSampling(count: 1, minTokens: 5_000, maxTokens: 6_000, seed: 1)
    #expect(throws: Fault.self) {
      try TextDataset.presidioTemplates.documents(.private, in: Self.store, sampling: long, tokenize: fourBytes)
    }
  }

  static let bothFetched = TextDataset.proseAndDialogue.manifests.allSatisfy { (try? store.path(of: $0)) != nil }

  @Test(.enabled(if: bothFetched, "fedsea-audit fetch dataset prose-and-dialogue")) func proseAndDialogueTakeTurns() throws {
    func drawn(_ count: Int) throws -> [TextDocument] {
      let sampling = PassageSampling(count: count, minTokens: 32, maxTokens: 64, seed: 1)
      return try TextDataset.proseAndDialogue.documents(.private, in: Self.store, sampling: sampling, tokenize: fourBytes).documents
    }
    let documents = try drawn(101)
    #expect(documents.count == 101 && Set(documents.map(\.id)).count == 101)
    #expect(try drawn(7) == Array(documents.prefix(7)))
    let only = PassageSampling(count: 51, minTokens: 32, maxTokens: 64, seed: 1)
    let prose = try TextDataset.stateOfTheUnion.documents(.private, in: Self.store, sampling: only, tokenize: fourBytes).documents
    #expect(documents.enumerated().filter { $0.offset % 2 == 0 }.map(\.element.text) == prose.map(\.text))
    #expect(documents.enumerated().allSatisfy { $0.element.attribute == ($0.offset % 2 == 0 ? "prose" : "dialogue") })
  }
}
