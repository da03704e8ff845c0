import Diagnostics
import Foundation
import HDF5
import PrivateText
import TestSupport
import Testing

@Suite struct EntityTests {
  let scratch = try! Scratch()

  private var marked: TruthFile {
    var truth = sampleTruth()
    truth.documents[0].entities = [
      PrivateEntity(kind: .name, text: "Grüße", tokens: 0..<2),
      PrivateEntity(kind: .secret, text: "4921", tokens: 2..<3, space: .fourDigits),
    ]
    for index in 1..<4 { truth.documents[index].entities = [] }
    truth.documents[2].entities = [PrivateEntity(kind: .email, text: "a@b.c", tokens: 4..<5)]
    return truth
  }

  @Test func entitiesComeBack() throws {
    try marked.write(to: scratch.file("t.h5"))
    #expect(try TruthFile.read(scratch.file("t.h5")) == marked)
  }

  @Test func nobodyElseMayReadTheTruth() throws {
    try marked.write(to: scratch.file("t.h5"))
    let mode = try FileManager.default.attributesOfItem(atPath: scratch.file("t.h5"))[.posixPermissions] as? NSNumber
    #expect(mode?.intValue == 0o600)
  }

  @Test(arguments: [
    ("document", [9]), ("document", [-1]), ("end", [17]), ("first", [-1]), ("first", [3]),
  ]) func positionsOutsideOfADocumentAreRefused(_ column: String, _ value: [Int64]) throws {
    try sampleTruth().write(to: scratch.file("plain.h5"))
    var numbers: [String: [Int64]] = ["document": [0], "first": [0], "end": [2]]
    numbers[column] = value
    let path = scratch.file("bad.h5")
    let file = try HDF5File.create(path)
    try file.root.setEncoding("fedsea-truth")
    try file.root.setAttribute("run_id", "run-7")
    let offsets = try OffsetsAppender(in: file.root)
    try offsets.append(3)
    try offsets.finish()
    let tokens = try RowAppender<Int32>("samples/token_ids", in: file.root, columns: nil)
    try tokens.append([1, 2, 3])
    try tokens.finish()
    for (name, text) in [
      ("samples/text", "abc"), ("samples/id", "d"), ("entities/kind", "name"), ("entities/text", "a"), ("entities/space", ""),
    ] {
      try StringAppender(name, in: file.root).append([text])
    }
    for (name, values) in numbers.sorted(by: { $0.key < $1.key }) {
      let appender = try RowAppender<Int64>("entities/\(name)", in: file.root, columns: nil)
      try appender.append(values)
      try appender.finish()
    }
    try file.close()
    let fault = #expect(throws: Fault.self) { try TruthFile.read(path) }
    #expect(fault?.code == .invalidData)
  }

  @Test func secretSpacesHoldWhatTheySay() {
    for space in SecretSpace.allCases {
      let members = Set((0..<space.count).map(space.member))
      #expect(members.count == space.count && abs(space.bits - log2(Double(space.count))) < 1e-12)
    }
    #expect(SecretSpace.fourDigits.member(7) == "0007")
  }
}
