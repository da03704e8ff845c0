/// The style sheet of report.html: one file, no fonts or images from elsewhere. Series colours are Okabe and Ito's, darkened or lightened
/// where the background asks for it; paper is always light.
enum ReportStyle {
  static let light = """
    --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --faint: #6e7781; --rule: #d5dae0; --wash: #f5f7f9; --accent: #0072b2;
    --warn-ink: #7a3e00; --warn-wash: #fff4e5; --warn-rule: #e69f00; --hit: #0072b2; --miss: #98a4b0;
    --c0: #d55e00; --c1: #0072b2; --c2: #009e73; --c3: #aa4499; --c4: #b87f00; --c5: #3a93c4; --c6: #4d4d4d; --base: #8c959f; --bin: #9db8cc;
    """
  static let dark = """
    --paper: #14181d; --ink: #e6e9ed; --soft: #a9b3bd; --faint: #8f9aa5; --rule: #343b44; --wash: #1c2128; --accent: #6cbcec;
    --warn-ink: #ffd599; --warn-wash: #33270f; --warn-rule: #e69f00; --hit: #56b4e9; --miss: #66717d;
    --c0: #ff8a3d; --c1: #6cbcec; --c2: #2fc49a; --c3: #dd8fc0; --c4: #f0b732; --c5: #9fd3f5; --c6: #c0c0c0; --base: #7d8893; --bin: #466278;
    """

  static let sheet = """
    :root { color-scheme: light dark; \(light) }
    @media (prefers-color-scheme: dark) { :root { \(dark) } }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue",
      "Liberation Sans", Arial, sans-serif; font-variant-numeric: lining-nums; }
    main { max-width: 1120px; margin: 0 auto; padding: 40px 28px 72px; }
    h1, h2, h3 { line-height: 1.2; text-wrap: balance; }
    h1 { font-size: 1.7rem; margin: .2rem 0 0; letter-spacing: -.01em; }
    h2 { font-size: 1.25rem; margin: 3.2rem 0 .6rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
    h3 { font-size: 1rem; margin: 1.8rem 0 .4rem; }
    p, dl, ul { max-width: 46rem; margin: .5rem 0 .9rem; }
    ul { padding-left: 1.2rem; } li { margin: .3rem 0; }
    a { color: var(--accent); }
    code, pre { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
    code { overflow-wrap: anywhere; }
    pre { background: var(--wash); border: 1px solid var(--rule); border-radius: 4px; padding: 12px 14px; margin: .5rem 0 1rem;
      white-space: pre-wrap; overflow-wrap: anywhere; }
    .eyebrow { color: var(--soft); font-size: .875rem; margin: 0; overflow-wrap: anywhere; }
    .note, figcaption { color: var(--soft); font-size: .875rem; }
    .verdict { margin: 1.6rem 0 1.2rem; padding: 2px 0 2px 20px; border-left: 4px solid var(--c0); max-width: 50rem; }
    .verdict .headline { font-size: 1.3rem; line-height: 1.4; font-weight: 600; margin: 0 0 .7rem; text-wrap: pretty; }
    .verdict ul { list-style: none; padding: 0; margin: 0; color: var(--soft); }
    .banner { border: 1px solid var(--warn-rule); background: var(--warn-wash); color: var(--warn-ink); border-radius: 4px; padding: 10px 14px;
      margin: 1.2rem 0; max-width: 50rem; } .banner strong { display: block; }
    .banner.invalid { border: 3px solid #b3261e; background: #fdecea; color: #7a1410; font-size: 1.05rem; } .banner.invalid strong { font-size: 1.2rem; }
    .banner ul { margin: .2rem 0 0; }
    .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 10px 24px; max-width: none; margin: 1.4rem 0 0; }
    .facts dt { color: var(--soft); font-size: .8125rem; } .facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    nav { margin: 1.6rem 0 0; font-size: .875rem; color: var(--soft); } nav a { margin-right: 1.1rem; white-space: nowrap; }
    dl.plain { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: 4px 20px; max-width: 56rem; }
    dl.plain dt { color: var(--soft); } dl.plain dd { margin: 0; overflow-wrap: anywhere; }
    .scroll { overflow-x: auto; margin: .6rem 0 1.1rem; }
    table { border-collapse: collapse; font-size: .875rem; line-height: 1.4; font-variant-numeric: tabular-nums lining-nums; }
    caption { text-align: left; color: var(--soft); padding: 0 0 6px; }
    th, td { padding: 4px 14px 4px 0; text-align: left; vertical-align: baseline; }
    th:last-child, td:last-child { padding-right: 2px; }
    thead th { font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--faint); vertical-align: bottom; }
    tbody th { font-weight: 400; }
    tbody + tbody { border-top: 1px solid var(--rule); }
    tbody.rows tr + tr { border-top: 1px solid var(--rule); }
    .num { text-align: right; white-space: nowrap; } .ci { color: var(--soft); font-size: .93em; } td.ci-cell { padding-left: 0; }
    tr.best td, tr.best th.name { font-weight: 700; } tr.best .ci { font-weight: 400; }
    tr.baseline td, tr.baseline th.name { color: var(--soft); }
    .words { min-width: 13rem; } .nowrap { white-space: nowrap; }
    .matrix td { min-width: 5.5rem; } .attacks td.top { font-weight: 700; } .attacks td.top .ci { font-weight: 400; }
    details { margin: .6rem 0; } summary { cursor: pointer; font-weight: 600; padding: 4px 0; } .matrix .ci { display: block; }
    .legend { display: flex; flex-wrap: wrap; gap: 4px 22px; padding: 0; margin: .8rem 0; list-style: none; font-size: .875rem; max-width: none; }
    .legend li { display: flex; align-items: center; gap: 8px; margin: 0; } .legend .first { font-weight: 700; }
    .panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 22px 26px; }
    .panels .wide { grid-column: 1 / -1; }
    figure { margin: 0; min-width: 0; } figure h3 { margin: 0 0 .3rem; } figure h3 small { font-weight: 400; color: var(--soft); }
    .chart { display: block; width: 100%; max-width: 520px; height: auto; } .wide .chart { max-width: none; }
    svg text { font-size: 11px; fill: var(--ink); font-variant-numeric: tabular-nums; }
    .end { text-anchor: end; } .mid { text-anchor: middle; } .strong { font-weight: 600; } svg text.faint { fill: var(--faint); font-size: 10px; }
    .axis { stroke: var(--faint); stroke-width: 1; fill: none; } .grid { stroke: var(--rule); stroke-width: 1; fill: none; }
    .line { fill: none; stroke: var(--s); stroke-linejoin: round; stroke-linecap: round; } .base .line { stroke-linecap: butt; }
    .mark { fill: var(--s); stroke: var(--paper); stroke-width: .8; } .mark.hollow { fill: var(--paper); stroke: var(--s); stroke-width: 1.5; }
    .bar { stroke: var(--s); stroke-width: 1; opacity: .75; fill: none; } .swatch { flex: none; }
    .s0 { --s: var(--c0); } .s1 { --s: var(--c1); } .s2 { --s: var(--c2); } .s3 { --s: var(--c3); } .s4 { --s: var(--c4); } .s5 { --s: var(--c5); }
    .s6 { --s: var(--c6); } .base { --s: var(--base); }
    .bin { fill: var(--bin); } .noise { stroke: var(--c0); stroke-width: 1.2; stroke-dasharray: 4 3; fill: none; }
    svg text.noise-label { fill: var(--c0); font-size: 10px; }
    .sample { border-top: 1px solid var(--rule); padding: 10px 0 12px; max-width: 60rem; }
    .sample p { margin: 0 0 .3rem; } .sample .who { color: var(--soft); font-size: .8125rem; }
    .blocks { font: 1rem/1.35 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; letter-spacing: 1px; overflow-wrap: anywhere; }
    .blocks b { color: var(--hit); font-weight: 400; } .blocks i { color: var(--miss); font-style: normal; }
    .recovered { white-space: pre-wrap; overflow-wrap: anywhere; overflow: hidden; unicode-bidi: isolate; direction: ltr; }
    .recovered mark { background: none; color: inherit; text-decoration: underline wavy var(--c0) 1px; text-underline-offset: 3px; }
    .recovered ins { text-decoration: none; border-bottom: 1px dotted var(--faint); }
    @media (max-width: 600px) { main { padding: 22px 16px 48px; } dl.plain { display: block; } .facts { grid-template-columns: 1fr 1fr; } dl.plain dd { margin: 0 0 .6rem; }
      .verdict .headline { font-size: 1.12rem; } h1 { font-size: 1.4rem; } }
    @page { size: A4; margin: 15mm 14mm 16mm; }
    @media print {
      :root { color-scheme: light; \(light) }
      body { font-size: 9.5pt; line-height: 1.45; } main { max-width: none; padding: 0; } nav { display: none; }
      h2 { margin-top: 1.6rem; } h2, h3, caption, thead { break-after: avoid; } figure, .sample, tr, .banner, .verdict { break-inside: avoid; }
      table { font-size: 8pt; } th, td { padding: 2px 9px 2px 0; } .scroll { overflow: visible; } thead { display: table-header-group; }
      .panels { grid-template-columns: 1fr 1fr; } a { color: inherit; text-decoration: none; } pre { font-size: 7.5pt; }
      * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
    }
    """
}
