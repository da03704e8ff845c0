import Audit
import Diagnostics
import Foundation
import HDF5
import Kernels
import SplitLearning
import TestSupport
import Testing

@Suite struct ViewFileTests {
  let scratch = try! Scratch()

  @Test(arguments: ViewPrecision.allCases, [0, 6]) func `a view comes back`(precision: ViewPrecision, deflate: Int) throws {
    try ViewFile.write(Samples.view, to: scratch.file("v.h5"), precision: precision, deflate: deflate)
    #expect(try ViewFile.read(scratch.file("v.h5")) == Samples.view)
  }

  @Test(arguments: NoiseStatement.Law.allCases) func `every law comes back`(law: NoiseStatement.Law) throws {
    var view = Samples.view
    view.observations[.inputHiddenStates]?.noise = NoiseStatement(
      defense: "d", law: law, sigma: law.drawsNoise ? 0.25 : 0, step: law == .quantized ? 0.5 : nil, kept: law == .sparsified ? 2 : nil)
    view.inputNoise = try #require(view.observations[.inputHiddenStates]?.noise)
    try ViewFile.write(view, to: scratch.file("v.h5"))
    #expect(try ViewFile.read(scratch.file("v.h5")) == view)
    #expect(try ViewFile.read(scratch.file("v.h5")).inputNoise.law == law)
  }

  @Test func `a view without documents comes back`() throws {
    var view = Samples.view
    view.offsets = [0]
    view.observations = [.inputHiddenStates: Observation(values: Matrix(rows: 0, columns: 3))]
    try ViewFile.write(view, to: scratch.file("v.h5"))
    #expect(try ViewFile.read(scratch.file("v.h5")) == view)
  }

  @Test(arguments: ["view.h5", "view-variant.h5"]) func `views of h5py are read`(name: String) throws {
    #expect(try ViewFile.read(Fixture.path("hdf5/\(name)")) == Samples.view)
  }

  @Test func `a streamed view has the same bytes`() throws {
    let columns = 48
    let lengths = (0..<200).map { $0 * 37 % 61 }
    let count = lengths.reduce(0, +)
    var generator = SplitMix(state: 5)
    func random() -> Matrix {
      Matrix(rows: count, columns: columns, values: (0..<count * columns).map { _ in Float.random(in: -9...9, using: &generator) })
    }
    var view = Samples.view
    view.offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    view.observations = [.inputHiddenStates: Observation(values: random()), .outputHiddenStates: Observation(values: random())]
    try ViewFile.write(view, to: scratch.file("whole.h5"))
    let description = ChannelDescription(columns: columns)
    let writer = try ViewWriter(
      scratch.file("streamed.h5"), identity: view.identity, partition: view.partition, inputNoise: view.inputNoise,
      channels: [.inputHiddenStates: description, .outputHiddenStates: description])
    var document = 0
    while document < 200 {
      let part = document..<min(200, document + 1 + document % 7)
      let rows = view.offsets[part.lowerBound]..<view.offsets[part.upperBound]
      try writer.append(Array(lengths[part]), view.observations.mapValues { $0.values.slice(rows) })
      document = part.upperBound
    }
    try writer.close()
    let whole = try Data(contentsOf: URL(filePath: scratch.file("whole.h5")))
    #expect(try Data(contentsOf: URL(filePath: scratch.file("streamed.h5"))) == whole)
    #expect(try ViewFile.read(scratch.file("streamed.h5")) == view)
  }

  @Test func `values that no reader should get are not written`() throws {
    for (value, precision, refused) in [
      (Float.nan, ViewPrecision.f32, true), (.infinity, .f16, true), (65_520, .f16, true), (65_504, .f16, false),
    ] {
      var view = Samples.view
      view.observations[.inputHiddenStates]?.values[4, 2] = value
      let failure = fault { try ViewFile.write(view, to: scratch.file("v.h5"), precision: precision) }
      #expect(failure?.code == (refused ? .invalidData : nil))
      #expect(try scratch.names() == (refused ? [] : ["v.h5"]))
    }
  }

  @Test func `a secret order of the rows is told`() throws {
    var view = Samples.view
    view.observations[.inputHiddenStates]?.noise.order = .secret
    view.inputNoise.order = .secret
    try ViewFile.write(view, to: scratch.file("v.h5"))
    #expect(try ViewFile.read(scratch.file("v.h5")) == view)
  }

  /// What is wrong with the file, and a word that the message must hold.
  @Test(arguments: [
    ("truth.h5", "fedsea-truth"), ("guesses.h5", "fedsea-guesses"), ("hostile-huge.h5", "more rows than"),
    ("hostile-bomb.h5", "fedsea-guesses"),
  ])
  func `other files are refused with the reason`(name: String, word: String) {
    let failure = fault { try ViewFile.read(Fixture.path("hdf5/\(name)")) }
    #expect(failure?.code == .invalidData)
    #expect(failure?.message.contains(word) == true, "\(failure?.message ?? "no fault")")
  }

  /// One thing of a valid file is changed; each must be refused by name.
  enum Flaw: CaseIterable {
    case encoding, version, partition, offsets, firstOffset, noOffsets, lengths, rows, nan, sigma, dimensions, integers, vector, law, order
  }

  @Test(arguments: Flaw.allCases) func `a flawed view is refused`(flaw: Flaw) throws {
    let path = scratch.file("v.h5")
    let file = try HDF5File.create(path)
    let root = file.root
    if flaw != .encoding { try root.setAttribute("encoding-type", "fedsea-view") }
    try root.setAttribute("encoding-version", flaw == .version ? "2" : "1")
    for key in ["run_id", "plan_sha256", "checkpoint_sha256", "tokenizer_sha256", "created", "fedsea_version"] {
      try root.setAttribute(key, "x")
    }
    try root.setAttribute("partition_input", flaw == .partition ? Int64(-1) : 1)
    try root.setAttribute("partition_output", Int64(1))
    func column(_ name: String, _ values: [Int64]) throws {
      let appender = try RowAppender<Int64>(name, in: root, columns: nil)
      try appender.append(values)
      try appender.finish()
    }
    try column("samples/offsets", flaw == .offsets ? [0, 3, 2] : flaw == .firstOffset ? [1, 2, 2] : flaw == .noOffsets ? [] : [0, 1, 2])
    try column("metadata/lengths", flaw == .lengths ? [1, 2] : [1, 1])
    let dataset: HDF5Object
    if flaw == .integers {
      let appender = try RowAppender<Int64>("input_cut/hidden_states", in: root, columns: 2)
      try appender.append([1, 2, 3, 4])
      try appender.finish()
      dataset = appender.dataset
    } else {
      let appender = try RowAppender<Float>("input_cut/hidden_states", in: root, columns: flaw == .vector ? nil : 2)
      try appender.append(flaw == .rows ? [1, 2] : flaw == .vector ? [1, 2] : flaw == .nan ? [1, 2, .nan, 4] : [1, 2, 3, 4])
      try appender.finish()
      dataset = appender.dataset
    }
    try dataset.setAttribute("dims", flaw == .dimensions ? ["token"] : ["token", "channel"])
    for key in ["unit", "defense"] { try dataset.setAttribute(key, "x") }
    try dataset.setAttribute("noise_law", flaw == .law ? "rotated twice" : "gaussian")
    try dataset.setAttribute("noise_sigma", flaw == .sigma ? -1.0 : 0.5)
    if flaw == .order { try dataset.setAttribute("row_order", "rising") }
    try file.close()
    #expect(fault { try ViewFile.read(path) }?.code == .invalidData)
  }
}
