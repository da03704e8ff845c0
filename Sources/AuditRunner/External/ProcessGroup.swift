import Diagnostics
import Foundation

/// A program in a process group of its own, so that it and its children end together.
struct ProcessGroup {
  enum Ending: Equatable {
    case exited(Int32)
    case killed(signal: Int32)
    case timedOut
    /// It wrote more than the log may hold.
    case flooded
  }

  /// Largest log, bytes.
  static let logLimit = 16 << 20

  /// Runs `words[0]` (a path) with the rest as arguments until it ends or `timeLimit` seconds have passed, then kills whatever is left of the
  /// group. Standard input is empty, standard output and error go to the file `log`, no other descriptor is inherited.
  ///
  /// The log is measured and read through the descriptor that it was made with: what the program may have put in the file's place does not matter.
  /// - Parameter tick: called about ten times a second; what it throws is rethrown after the group has been killed.
  /// - Returns: how it ended, and the last 4 KiB of what it wrote.
  /// - Throws: `Fault` 69 if the program cannot be started, 73 if the log is there or cannot be made, and what `tick` throws.
  static func run(
    _ words: [String], environment: [String: String], folder: String, log: String, timeLimit: Double, tick: () throws -> Void
  ) throws -> (ending: Ending, said: Data) {
    let file = open(log, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Fault(.cannotCreate, "the program's log cannot be made: \(String(cString: strerror(errno)))", at: log) }
    defer { close(file) }
    let ending = try ended(spawn(words, environment, folder, log: file), log: file, timeLimit: timeLimit, tick: tick)
    return (ending, tail(of: file))
  }

  private static func ended(_ child: pid_t, log: Int32, timeLimit: Double, tick: () throws -> Void) throws -> Ending {
    // A child that left its parent behind is still in the group.
    defer { kill(-child, SIGKILL) }
    let clock = ContinuousClock()
    let start = clock.now
    var status: Int32 = 0
    func stop(_ ending: Ending) -> Ending {
      kill(-child, SIGKILL)
      while waitpid(child, &status, 0) == -1, errno == EINTR {}
      return ending
    }
    var rounds = 0
    while true {
      let done = waitpid(child, &status, WNOHANG)
      if done == child { return ending(of: status) }
      if done == -1, errno != EINTR { return .exited(-1) }
      if clock.now - start > .seconds(timeLimit) { return stop(.timedOut) }
      rounds += 1
      if rounds % 10 == 0 {
        if size(of: log) > logLimit { return stop(.flooded) }
        do { try tick() } catch {
          _ = stop(.timedOut)
          throw error
        }
      }
      Thread.sleep(forTimeInterval: 0.01)
    }
  }

  private static func ending(of status: Int32) -> Ending {
    let signal = status & 0x7F
    return signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
  }

  private static func size(of file: Int32) -> Int {
    var status = stat()
    return fstat(file, &status) == 0 ? Int(status.st_size) : 0
  }

  private static func tail(of file: Int32) -> Data {
    let size = size(of: file)
    var bytes = [UInt8](repeating: 0, count: min(4096, size))
    let count = pread(file, &bytes, bytes.count, off_t(size - bytes.count))
    return Data(bytes.prefix(max(0, count)))
  }

  private static func spawn(_ words: [String], _ environment: [String: String], _ folder: String, log: Int32) throws -> pid_t {
    precondition(!words.isEmpty && words[0].hasPrefix("/"), "a program is started by its path")
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, log, 1)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // Signals that this process ignores (Ctrl-C is handled by hand) mean to the child what they usually mean.
    var usual = sigset_t()
    sigemptyset(&usual)
    for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP] { sigaddset(&usual, signal) }
    posix_spawnattr_setsigdefault(&attributes, &usual)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
    keepDescriptors()
    var child: pid_t = 0
    // posix_spawn has no portable way to change the folder; the shell does that and becomes the program.
    let inFolder = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder] + words
    let code = withStrings(inFolder) { arguments in
      withStrings(environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }) { variables in
        posix_spawn(&child, inFolder[0], &actions, &attributes, arguments, variables)
      }
    }
    guard code == 0 else {
      throw Fault(.unavailable, "\(words[0]) cannot be started: \(String(cString: strerror(code)))")
    }
    return child
  }

  /// No child inherits a descriptor of this process beyond the standard three.
  private static func keepDescriptors() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
      if let descriptor = Int32(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
  }

  /// NUL-terminated copies of `texts`, with a null pointer after the last.
  private static func withStrings<R>(_ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R) -> R {
    var pointers = texts.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
  }
}
