// swift-tools-version: 6.2
// Targets stand in dependency order. The module graph is the threat model: `Attacks` reaches no target that holds private text.
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
  .target(name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests", swiftSettings: settings)
}

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
  name: "fedsea-audit",
  products: [
    .executable(name: "fedsea-audit", targets: ["fedsea-audit"]),
    .executable(name: "fedsea-bench", targets: ["fedsea-bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
  ],
  targets: [
    module("Diagnostics"),
    .systemLibrary(name: "COneDNN", path: "Sources/COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(name: "COpenBLAS", path: "Sources/COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CHDF5", path: "Sources/CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
    .target(
      name: "CKernels", dependencies: ["COneDNN", "COpenBLAS"], path: "Sources/CKernels",
      cSettings: [.unsafeFlags(["-O3", "-Wno-psabi"])], linkerSettings: ["dnnl", "openblas", "gomp", "m"].map { .linkedLibrary($0) }),
    module("Kernels", ["CKernels", "COneDNN", "COpenBLAS", "Diagnostics"]),
    module("Checkpoints", ["Diagnostics", crypto]),
    module("Tokenizers", ["Diagnostics", "Checkpoints", crypto]),
    module("HDF5", ["CHDF5", "Diagnostics"]),
    module("Llama", ["Diagnostics", "Kernels", "Checkpoints"]),
    module("SplitLearning", ["Diagnostics", "Kernels", "Checkpoints", "Llama"]),
    module("Privacy", ["Diagnostics"]),
    module("Audit", ["Diagnostics", "Kernels", "HDF5", "Llama", "SplitLearning", "Privacy", crypto, yams]),
    module("TextScores"),
    module("Attacks", ["Diagnostics", "Kernels", "Checkpoints", "Llama", "SplitLearning", "Audit", "TextScores", crypto]),
    module("Defenses", ["Diagnostics", "Kernels", "SplitLearning", "Privacy", "Audit"]),
    // From here on, modules may hold private text.
    module("PrivateText", ["Diagnostics", "HDF5"]),
    module("LeakageMetrics", ["Diagnostics", "Audit", "PrivateText", "TextScores"]),
    module("Fetching", ["Diagnostics", crypto]),
    module("Datasets", ["Diagnostics", "Fetching", "PrivateText"]),
    module("Tasks", ["Diagnostics", "TextScores"]),
    module("Reports", ["Diagnostics", "Audit"]),
    module(
      "AuditRunner",
      [
        "Diagnostics", "Kernels", "Checkpoints", "Tokenizers", "HDF5", "Llama", "SplitLearning", "Privacy", "Audit", "Attacks", "Defenses",
        "PrivateText", "LeakageMetrics", "Fetching", "Datasets", "Tasks", "Reports", crypto,
      ]),
    .executableTarget(
      name: "fedsea-audit",
      dependencies: [
        "Diagnostics", "Kernels", "Checkpoints", "Tokenizers", "Llama", "SplitLearning", "Audit", "Attacks", "Defenses", "PrivateText",
        "LeakageMetrics", "Fetching", "Datasets", "Tasks", "Reports", "AuditRunner", arguments,
      ], path: "Sources/fedsea-audit", swiftSettings: settings),
    .executableTarget(
      name: "fedsea-bench",
      dependencies: ["Diagnostics", "Kernels", "Checkpoints", "Tokenizers", "Llama", "SplitLearning", "Audit", "Attacks", arguments],
      path: "Sources/fedsea-bench", exclude: ["peers", "bench.sh"], swiftSettings: settings),

    module("TestSupport", ["Diagnostics", "Kernels", "Checkpoints"], path: "Tests/TestSupport"),
    tests("Kernels", ["Kernels", "CKernels", "TestSupport"]),
    tests("Checkpoints", ["Checkpoints", "Diagnostics", "TestSupport"]),
    tests("Tokenizers", ["Tokenizers", "Checkpoints", "Diagnostics", "TestSupport"]),
    tests("HDF5", ["CHDF5", "Diagnostics", "HDF5", "TestSupport"]),
    tests("Llama", ["Llama", "Kernels", "Checkpoints", "Diagnostics", "TestSupport"]),
    tests("SplitLearning", ["SplitLearning", "Llama", "Kernels", "Checkpoints", "Diagnostics", "TestSupport"]),
    tests("Privacy", ["Privacy", "Diagnostics", "TestSupport"]),
    tests("AuditFiles", ["Audit", "Diagnostics", "HDF5", "Kernels", "SplitLearning", "TestSupport"]),
    tests("Plan", ["Audit", "Diagnostics", "Llama", "SplitLearning", "TestSupport"]),
    tests(
      "Attacks",
      [
        "Attacks", "Audit", "Defenses", "Privacy", "SplitLearning", "Llama", "Kernels", "Checkpoints", "Tokenizers", "Diagnostics",
        "TestSupport",
      ]),
    tests("PrivateText", ["Diagnostics", "HDF5", "PrivateText", "TestSupport"]),
    tests("LeakageMetrics", ["LeakageMetrics", "Audit", "Diagnostics", "PrivateText", "TestSupport"]),
    tests("Fetching", ["Diagnostics", "Fetching"]),
    tests("Datasets", ["Datasets", "Diagnostics", "Fetching", "PrivateText"]),
    tests("Tasks", ["Tasks", "Diagnostics"]),
    tests("Reports", ["Reports", "Diagnostics", "Audit", "SplitLearning", "TestSupport"]),
    tests(
      "AuditRunner",
      [
        "AuditRunner", "Audit", "Attacks", "Checkpoints", "Defenses", "HDF5", "Kernels", "LeakageMetrics", "Llama", "SplitLearning",
        "Tokenizers", "Tasks", "Reports", "PrivateText", "Datasets", "Fetching", "Diagnostics", "TestSupport",
      ]),
    tests("FedseaBench", ["fedsea-bench", "Checkpoints", "Kernels", "Llama", "SplitLearning", "TestSupport"]),
  ]
)
