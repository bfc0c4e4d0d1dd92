#pragma once

namespace conclave {

// The style sheet of every report. Series colours are --s0 to --s7; .series-N sets them as `color`. Both sets of eight
// were found by search: seen with normal, red-weak, green-weak and blue-weak eyes (Machado et al. 2009, full strength)
// any two of them stay apart, and each has a contrast of 3 or more against its background.
inline constexpr const char* kPageStyle = R"css(
:root{color-scheme:light dark;--page:#f9f9f7;--card:#fcfcfb;--ink:#0b0b0b;--soft:#52514e;--faint:#898781;--line:#e1e0d9;
--axis:#c3c2b7;--s0:#4049ed;--s1:#b33300;--s2:#1c7145;--s3:#ec57ac;--s4:#1299ec;--s5:#c88400;--s6:#28344c;--s7:#881ba6}
@media (prefers-color-scheme:dark){:root{--page:#0d0d0d;--card:#1a1a19;--ink:#fff;--soft:#c3c2b7;--faint:#898781;
--line:#2c2c2a;--axis:#4a4a46;--s0:#5f7fd6;--s1:#e85821;--s2:#00df6e;--s3:#dc719a;--s4:#a3c3ff;--s5:#ffc704;--s6:#eeeed0;--s7:#994dff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:28px 24px 48px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:19px;margin:36px 0 12px}
h3{font-size:14px;margin:0 0 6px;font-weight:600}
p{margin:0 0 12px}
.verdict{font-size:17px;max-width:75ch;overflow-wrap:anywhere}
.meta,.note,figcaption{color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.card,.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:14px 16px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(136px,1fr));gap:12px;margin:18px 0 0}
.tile{padding:12px 14px}
.tile b{display:block;font-size:24px;line-height:1.25;font-weight:600;overflow-wrap:anywhere}
.tile span{display:block;color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:14px}
.charts figure{margin:0;min-width:0}
.chart svg{display:block;width:100%;height:auto;overflow:visible}
.chart text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .axis{stroke:var(--axis);stroke-width:1}
.chart .series{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.chart .dashed .series{stroke-dasharray:6 4}.chart .dotted .series{stroke-dasharray:1 4}
.chart .series-ref .series{stroke-width:1;stroke-dasharray:3 3}
.chart .band{fill:currentColor;opacity:.1}
.chart .dot{fill:currentColor;stroke:var(--card);stroke-width:1.5}
.chart h3{overflow-wrap:anywhere}.chart h3 .note{font-weight:400}
.squares{grid-template-columns:repeat(auto-fill,minmax(min(100%,290px),1fr))}
.whisker{display:block;max-width:none}
.whisker text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.whisker .grid{stroke:var(--line)}.whisker .zero{stroke:var(--soft);stroke-width:1.5}
.whisker .seed{fill:currentColor;opacity:.35}.whisker .dot{fill:currentColor}
.whisker .reach{stroke:currentColor;stroke-width:2}
.legend{list-style:none;margin:8px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px}
.legend li{max-width:100%;overflow-wrap:anywhere}
.legend+.charts{margin-top:10px}
.chip{display:inline-block;width:18px;height:0;border-top:3px solid currentColor;vertical-align:middle;margin-right:7px}
.chip.dashed{border-top-style:dashed}.chip.dotted{border-top-style:dotted}
.chip,.swatch,.whisker,.band{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.swatch{display:inline-block;width:14px;height:14px;border-radius:3px;vertical-align:-2px;margin-right:7px;
border:1px solid var(--axis)}
.legend span{color:var(--ink)}
.legend b{color:var(--soft);font-weight:400;font-variant-numeric:tabular-nums;margin-left:6px}
.series-0{color:var(--s0)}.series-1{color:var(--s1)}.series-2{color:var(--s2)}.series-3{color:var(--s3)}
.series-4{color:var(--s4)}.series-5{color:var(--s5)}.series-6{color:var(--s6)}.series-7{color:var(--s7)}.series-ref{color:var(--faint)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:600;color:var(--soft);font-size:13px;vertical-align:bottom}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--line);overflow-wrap:break-word}
td:last-child,th:last-child{padding-right:0}
tr:last-child td{border-bottom:0}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}
.below,.card+.charts{margin-top:14px}
td s{text-decoration:none;color:var(--soft)}
td code{font-size:12px;color:var(--soft);overflow-wrap:anywhere}
td b{font-weight:700}
td:first-child{min-width:9em}td:first-child>.chip{margin-left:1px}
.verdict.more{font-size:15px}
.warning{border-left:4px solid var(--s5);padding:2px 0 2px 10px;font-size:14px;max-width:85ch;overflow-wrap:anywhere}
details ul{margin:8px 0 0;padding-left:20px}
.card+.note,.charts+.note,.scroll+.note{margin-top:10px}.note:last-child{margin-bottom:0}
th.group{text-align:center;border-bottom-color:var(--axis)}
td small{display:block;color:var(--soft);font-size:12px}
.bar{display:inline-block;position:relative;width:72px;height:8px;border-radius:4px;background:var(--line);margin-left:10px;
overflow:hidden;vertical-align:middle;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.bar i{position:absolute;left:0;top:0;bottom:0;background:var(--s0)}
.bar u{position:absolute;left:80%;top:0;bottom:0;width:2px;background:var(--ink)}
pre{margin:0;font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-x:auto}
.pictures{margin-top:14px}
.tilegrid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,180px),1fr));gap:12px 10px}
.tilegrid figure{margin:0;min-width:0}
.tilegrid img{display:block;width:100%;height:auto;border-radius:4px}
.tilegrid figcaption b{color:var(--ink);font-weight:600}.tilegrid figcaption{margin-top:4px;line-height:1.35;font-size:12.5px}
summary{cursor:pointer;font-weight:600;font-size:14px}
details pre{margin-top:10px}
.pairs h3{margin-top:12px}
.pairs td:first-child,.pairs th:first-child{position:sticky;left:0;background:var(--card);z-index:1}
@media (max-width:560px){main{padding:18px 14px 32px}h1{font-size:23px}.verdict{font-size:16px}.card{padding:12px}
th,td{padding-right:8px}table{font-size:13px}th{font-size:12px}.bar{display:block;width:100%;margin:3px 0 0 auto}
.chart text{font-size:12.5px}
.tilegrid{grid-template-columns:1fr 1fr}.whisker{width:140px;height:auto}.chip{width:12px;margin-right:5px}
td:first-child{min-width:7.5em;max-width:42vw;overflow-wrap:anywhere}
.scroll th:first-child,.scroll td:first-child{position:sticky;left:0;background:var(--card);z-index:1}
.tiles{grid-template-columns:1fr 1fr;gap:8px}.tile b{font-size:20px}}
@media print{:root{color-scheme:light;--page:#fff;--card:#fff;--ink:#000;--soft:#444;--faint:#777;--line:#ddd;--axis:#aaa;
--s0:#4049ed;--s1:#b33300;--s2:#1c7145;--s3:#ec57ac;--s4:#1299ec;--s5:#c88400;--s6:#28344c;--s7:#881ba6}
body{font-size:11pt}main{max-width:none;padding:0}.charts{grid-template-columns:1fr 1fr}.squares{grid-template-columns:1fr 1fr 1fr}
.tilegrid{grid-template-columns:repeat(5,1fr)}table{font-size:9.5pt}th,td{padding-right:6px}.whisker{width:150px;height:auto}
.tile,figure,tr{break-inside:avoid}h2{break-after:avoid}.scroll,pre{overflow:visible}pre{white-space:pre-wrap}}
)css";

}  // namespace conclave
