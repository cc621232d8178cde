#include "experiments/report/report_style.h"

namespace kshot {

// Series colours keep 3:1 to the paper in both modes and stay apart for the colour-blind; dashes
// and shapes of marks tell the same.
const std::string_view kReportStyle = R"(
:root { --s0: #0b62b0; --s1: #c2410c; --s2: #00795c; --s3: #a3328a; --s4: #8a6200; --s5: #4a5568;
  --wrong: #b3261e; --ink: var(--s0); }
@media (prefers-color-scheme: dark) {
  :root { --s0: #6cb2f5; --s1: #ff9a5c; --s2: #3ddbb0; --s3: #f08fd8; --s4: #e8c547; --s5: #b8c2cc;
    --wrong: #ff8a80; } }
.s0 { --ink: var(--s0); } .s1 { --ink: var(--s1); } .s2 { --ink: var(--s2); }
.s3 { --ink: var(--s3); } .s4 { --ink: var(--s4); } .s5 { --ink: var(--s5); }
.finding { font-size: 1.1rem; max-width: 46rem; } .note { border-left: 3px solid var(--wrong); padding-left: .7rem; max-width: 46rem; }
p.quiet { max-width: 46rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 1rem 0; padding: .6rem 0; border-block: 1px solid var(--line); }
section { scroll-margin-top: 1rem; } h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
details { margin: .6rem 0; } summary { cursor: pointer; padding: .25rem 0; color: var(--accent); }
details[open] > summary { margin-bottom: .4rem; }
pre { overflow-x: auto; background: var(--panel); padding: .8rem; }
figure { margin: 0; } figcaption { color: var(--quiet); font-size: .9rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem 1.5rem; }
svg.chart { display: block; width: 100%; height: auto; max-width: 36rem; font: 13px system-ui, sans-serif; }
svg.chart text { fill: var(--quiet); } svg.chart .axis-title { fill: var(--text); }
.grid { stroke: var(--line); fill: none; } .axis { stroke: var(--quiet); fill: none; }
.line { fill: none; stroke: var(--ink); stroke-width: 2.2; stroke-linejoin: round; }
.s1.line { stroke-dasharray: 8 3; } .s2.line { stroke-dasharray: 3 2; } .s3.line { stroke-dasharray: 10 3 2 3; }
.s4.line { stroke-dasharray: 14 4; } .s5.line { stroke-dasharray: 5 2 1 2; }
.line.again { stroke-dasharray: 1 4; stroke-linecap: round; } .line.thin { stroke-width: 1; opacity: .6; }
.line.truth { stroke: var(--line); stroke-width: 7; stroke-linecap: round; }
.line.rest { stroke: var(--quiet); stroke-width: 1; opacity: .45; }
.line.leading { stroke-width: 1.8; opacity: .8; } .line.first { stroke: var(--s1); stroke-width: 4; }
.parallel .line:hover { opacity: 1; stroke-width: 4; }
.band { fill: var(--ink); opacity: .16; } .bar { fill: var(--ink); }
.mark { fill: var(--ink); } .mark.faint { opacity: .35; } .mark.validation { stroke: var(--paper); stroke-width: .7; }
.mark.ring { fill: none; stroke: var(--ink); stroke-width: 2.2; } .mark.support { fill: none; stroke: var(--text); stroke-width: 2; }
.vertical { stroke: var(--quiet); stroke-dasharray: 4 3; fill: none; }
.halo { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .4rem 0; padding: 0; }
svg.key { width: 34px; height: 14px; vertical-align: -1px; }
caption { text-align: left; color: var(--quiet); padding: .3rem 0; } tbody th { color: var(--text); font-weight: 400; white-space: nowrap; }
:not(.matrix) > .wide > table:not(.pictures) td:last-child:not(.number) { min-width: 12rem; }
.track { display: inline-block; width: 7rem; height: .7em; background: var(--line); }
.track > span { display: block; height: 100%; background: var(--s0); }
.matrix td { padding: .15rem .3rem; } .heat { display: block; padding: .1rem .3rem; background: color-mix(in srgb, var(--s0) calc(var(--heat) * .6), transparent); }
.pictures figure { display: inline-block; margin: 2px; text-align: center; vertical-align: top; border: 2px solid transparent; }
table.pictures { margin-top: .8rem; }
.pictures figcaption { line-height: 1.2; font-size: .8rem; }
.pictures img { display: block; width: 44px; height: 44px; object-fit: contain; background: #fff; image-rendering: pixelated; outline: 1px solid var(--line); }
.pictures .wrong { border-color: var(--wrong); } .pictures .wrong figcaption { color: var(--wrong); font-weight: 700; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .6rem; }
@media (max-width: 40rem) { .track { width: 4rem; } th, td { padding: .3rem .45rem; } .pictures img { width: 36px; height: 36px; } .pictures tr { display: block; }
  .pictures thead { display: none; } .pictures tbody th, .pictures td { display: block; border: 0; padding: .1rem 0; } }
@media print { details > * { display: block; } nav { display: none; } }
)";

}  // namespace kshot
