/// Which parts of a text carry content.
package enum ContentWords {
  /// UTF-8 ranges of the content words of `text`: runs of letters, digits and inner apostrophes that are no function word.
  package static func ranges(in text: String) -> [Range<Int>] {
    var out: [Range<Int>] = []
    var (word, start, offset) = ("", 0, 0)
    func finish() {
      let core = word.lowercased().replacing("\u{2019}", with: "'")
      if !core.isEmpty, !functionWords.contains(core) { out.append(start..<start + word.utf8.count) }
      word = ""
    }
    for character in text {
      let isInner = character.isLetter || character.isNumber || (!word.isEmpty && (character == "'" || character == "\u{2019}"))
      if isInner {
        if word.isEmpty { start = offset }
        word.append(character)
      } else {
        finish()
      }
      offset += String(character).utf8.count
    }
    finish()
    return out
  }

  private static let functionWords: Set<String> = Set(
    """
    a an the this that these those each every either neither some any no all both half such what which whose whatever
    i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself we us our ours ourselves they
    them their theirs themselves who whom whoever one ones oneself somebody someone something anybody anyone anything nobody nothing everybody
    everyone everything none
    about above across after against along among around as at before behind below beneath beside besides between beyond by despite down during
    except for from in inside into near of off on onto out outside over per since than through throughout till to toward towards under until up
    upon via with within without
    and but or nor so yet if unless because although though while whereas whether when whenever where wherever how why then else
    am is are was were be been being do does did doing done have has had having can could may might must shall should will would ought
    not there here too very just also only even again ever never
    i'm you're he's she's it's we're they're i've you've we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll
    don't doesn't didn't isn't aren't wasn't weren't won't wouldn't can't cannot couldn't shouldn't haven't hasn't hadn't that's there's
    """.split(whereSeparator: \.isWhitespace).map(String.init))
}
