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

let package = Package(
  name: "fedsea-audit",
  dependencies: [
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2")
  ],
  targets: [
    module("Diagnostics"),
    .systemLibrary(name: "COneDNN", path: "Sources/COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(name: "COpenBLAS", path: "Sources/COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    .target(
      name: "CKernels", dependencies: ["COneDNN", "COpenBLAS"], path: "Sources/CKernels",
      cSettings: [.unsafeFlags(["-O3", "-Wno-psabi"])], linkerSettings: ["dnnl", "openblas", "gomp", "m"].map { .linkedLibrary($0) }),
    module("Kernels", ["CKernels", "COneDNN", "COpenBLAS", "Diagnostics"]),
    module("Checkpoints", ["Diagnostics", .product(name: "Crypto", package: "swift-crypto")]),
    module("Tokenizers", ["Diagnostics", "Checkpoints", .product(name: "Crypto", package: "swift-crypto")]),
    module("Llama", ["Diagnostics", "Kernels", "Checkpoints"]),
    module("SplitLearning", ["Diagnostics", "Kernels", "Checkpoints", "Llama"]),
    module("Audit", ["Diagnostics", "Kernels", "Llama", "SplitLearning"]),
    module("Attacks", ["Diagnostics", "Kernels", "Checkpoints", "Llama", "SplitLearning", "Audit"]),

    module("TestSupport", ["Diagnostics", "Kernels", "Checkpoints"], path: "Tests/TestSupport"),
    tests("Checkpoints", ["Checkpoints", "Diagnostics"]),
    tests("Tokenizers", ["Tokenizers", "Checkpoints", "Diagnostics"]),
    tests("Llama", ["Llama", "Kernels", "Checkpoints", "TestSupport"]),
  ]
)
