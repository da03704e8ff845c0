import Audit
import AuditRunner
import Diagnostics
import Foundation
import Testing

@Suite struct TrainingRecordTests {
  private let text = """
    {"schema_version": 2, "run_id": "0123456789ab", "commit": "c", "host": "h", "checkpoint": "tiny", "plan": {"steps": 2}, "cells": [
      {"id": "p1", "partition_input": 1, "partition_output": 1, "seed": 3, "defense": {"defense.mean_abs": 0.5}, "before": {"rouge1_f": 0.25},
       "after": {"rouge1_f": 0.5}, "metric": "rouge1_f", "interval": [0.4, 0.6], "training_examples": 4, "validation_examples": 2,
       "losses": [2, 1], "seconds": 3, "tokens_per_second": 4, "bytes_per_token": 5, "padded_half_bytes_per_token": 6,
       "masked_half_bytes_per_token": 7, "migration_bytes": 8, "gradient_defense": {"clip": 0.04}, "gradient_norms": [1, 2],
       "partitions": [{"input": 1, "output": 1}], "clients": 1, "mode": "sequential", "sequential_server_steps": 2, "commit": "d"}]}
    """

  private func record() throws -> TrainingRecord { try TrainingRecord(json: Data(text.utf8), at: "training.json") }

  /// What `train` writes, `train` reads when it goes on: an unread record would compute every cell again.
  @Test func comesBackAsWritten() throws {
    let data = try record().encoded()
    let back = try TrainingRecord(json: data, at: "training.json")
    #expect(back.runID == "0123456789ab" && back.cells.count == 1)
    #expect(try back.encoded() == data)
    #expect(back.commit == "c" && back.cells[0].commit == "d")
    #expect(back.cells[0].defense == ["defense.mean_abs": .number(0.5)] && back.cells[0].after == ["rouge1_f": 0.5])
  }

  @Test func otherFilesAreFaults() throws {
    let good = String(decoding: try record().encoded(), as: UTF8.self)
    for bad in [
      "", "{}", "[1]", good.replacingOccurrences(of: "\"schema_version\" : 2", with: "\"schema_version\" : 1"), String(good.dropLast(9)),
    ] {
      let fault = #expect(throws: Fault.self) { try TrainingRecord(json: Data(bad.utf8), at: "x.json") }
      #expect(fault?.code == .invalidData && fault?.location == "x.json")
    }
  }
}
