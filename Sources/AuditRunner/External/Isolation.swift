import Foundation

/// Keeps private files out of an external program's sight with Linux namespaces (`unshare` of util-linux): the hidden folders are empty and
/// the hidden files are /dev/null in its mount namespace, it sees no process but its own, and all of its processes end with it.
///
/// Two namespaces, one in the other: mounts that come from an outer one are locked, so the program cannot take the covers off again.
/// Where the system does not allow user namespaces, nothing is hidden and `prefix` is nil: the files' mode (0600) then protects them from
/// other users only, and the run says so.
struct Isolation {
  /// Words to put in front of a command; nil if this system cannot isolate.
  let prefix: [String]?

  private static let script = """
    set -e
    while [ "$1" != "--" ]; do
      if [ -d "$1" ]; then mount -t tmpfs -o size=4k,mode=0555 none "$1"; else mount --bind /dev/null "$1"; fi
      shift
    done
    shift
    exec unshare --user --map-current-user --mount -- "$@"
    """

  /// - Parameters:
  ///   - hidden: files and folders with private text; what does not exist is left out.
  ///   - needed: paths that the program must go on seeing. In a hidden folder that holds one of them, only the files that name private text
  ///     (`privateNames`, at any depth) are hidden.
  init(hiding hidden: [String], needed: [String]) {
    let covers = Self.covers(hidden, needed)
    guard let unshare = Program.find("unshare"), let shell = Program.find("sh") else {
      prefix = nil
      return
    }
    let words =
      [unshare, "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", shell, "-c", Self.script]
      + ["sh"] + covers + ["--"]
    let log = FileManager.default.temporaryDirectory.appending(path: "fedsea-isolation-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: log) }
    let probe = try? ProcessGroup.run(
      words + ["/bin/sh", "-c", "exit 42"], environment: Program.environment(home: "/"), folder: "/", log: log.path, timeLimit: 20, tick: {}
    )
    prefix = probe?.ending == .exited(42) ? words : nil
  }

  /// Names of files that hold private text, or show it.
  static let privateNames = ["truth.h5", "samples.jsonl", "cell.json", "report.html", "report.md"]

  static func covers(_ hidden: [String], _ needed: [String]) -> [String] {
    let kept = needed.map(real)
    var out: [String] = []
    for path in hidden.map(real) {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { continue }
      if !isFolder.boolValue || !kept.contains(where: { $0 == path || $0.hasPrefix(path + "/") }) {
        out.append(path)
        continue
      }
      let names = FileManager.default.enumerator(atPath: path)
      while let name = names?.nextObject() as? String {
        let last = name.split(separator: "/").last.map(String.init) ?? name
        if privateNames.contains(last) { out.append("\(path)/\(name)") }
      }
    }
    // A folder under a hidden one is hidden with it.
    let folders = Set(out)
    return folders.filter { path in !folders.contains { path.hasPrefix($0 + "/") } }.sorted()
  }

  private static func real(_ path: String) -> String { URL(filePath: path).resolvingSymlinksInPath().path }
}
