#pragma once

namespace conclave {

// The style sheet of every report. Series colours are --s0 to --s7; .series-N sets them as `color`.
inline constexpr const char* kPageStyle = R"css(
:root{color-scheme:light dark;--page:#f9f9f7;--card:#fcfcfb;--ink:#0b0b0b;--soft:#52514e;--faint:#898781;--line:#e1e0d9;
--axis:#c3c2b7;--s0:#2a78d6;--s1:#eb6834;--s2:#1baf7a;--s3:#eda100;--s4:#e87ba4;--s5:#008300;--s6:#4a3aa7;--s7:#e34948}
@media (prefers-color-scheme:dark){:root{--page:#0d0d0d;--card:#1a1a19;--ink:#fff;--soft:#c3c2b7;--faint:#898781;
--line:#2c2c2a;--axis:#4a4a46;--s0:#3987e5;--s1:#d95926;--s2:#199e70;--s3:#c98500;--s4:#d55181;--s5:#3fa53f;--s6:#9085e9;
--s7:#e66767}}
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
.charts figure,.pictures figure{margin:0;min-width:0}
.chart svg{display:block;width:100%;height:auto;overflow:visible}
.chart text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .axis{stroke:var(--axis);stroke-width:1}
.chart .series{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.chart .dot{fill:currentColor;stroke:var(--card);stroke-width:1.5}
.legend{list-style:none;margin:8px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px}
.legend li{max-width:100%;overflow-wrap:anywhere}
.legend i{display:inline-block;width:16px;height:0;border-top:3px solid currentColor;border-radius:2px;vertical-align:middle;
margin-right:6px}
.legend .dashed i{border-top-style:dashed;border-radius:0}
.legend span{color:var(--ink)}
.legend b{color:var(--soft);font-weight:400;font-variant-numeric:tabular-nums;margin-left:6px}
.series-0{color:var(--s0)}.series-1{color:var(--s1)}.series-2{color:var(--s2)}.series-3{color:var(--s3)}
.series-4{color:var(--s4)}.series-5{color:var(--s5)}.series-6{color:var(--s6)}.series-7{color:var(--s7)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:600;color:var(--soft);font-size:13px;vertical-align:bottom}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--line);overflow-wrap:break-word}
td:last-child,th:last-child{padding-right:0}
tr:last-child td{border-bottom:0}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}
.card+.note,.charts+.note,.scroll+.note{margin-top:10px}.note:last-child{margin-bottom:0}
th.group{text-align:center;border-bottom-color:var(--axis)}
td small{display:block;color:var(--soft);font-size:12px}
.bar{display:inline-block;position:relative;width:72px;height:8px;border-radius:4px;background:var(--line);margin-left:10px;
overflow:hidden;vertical-align:middle;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.bar i{position:absolute;left:0;top:0;bottom:0;background:var(--s0)}
.bar u{position:absolute;left:80%;top:0;bottom:0;width:2px;background:var(--ink)}
pre{margin:0;font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-x:auto}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:14px}
.pictures img{display:block;width:100%;height:auto;border-radius:4px;margin-bottom:8px}
summary{cursor:pointer;font-weight:600;font-size:14px}
details pre{margin-top:10px}
@media (max-width:560px){main{padding:18px 14px 32px}h1{font-size:23px}.verdict{font-size:16px}.card{padding:12px}
th,td{padding-right:8px}table{font-size:13px}th{font-size:12px}.bar{display:block;width:100%;margin:3px 0 0 auto}
.chart text{font-size:12.5px}
.tiles{grid-template-columns:1fr 1fr;gap:8px}.tile b{font-size:20px}}
@media print{:root{color-scheme:light;--page:#fff;--card:#fff;--ink:#000;--soft:#444;--faint:#777;--line:#ddd;--axis:#aaa;
--s0:#2a78d6;--s1:#eb6834;--s2:#1baf7a;--s3:#eda100;--s4:#e87ba4;--s5:#008300;--s6:#4a3aa7;--s7:#e34948}
body{font-size:11pt}main{max-width:none;padding:0}.charts,.pictures{grid-template-columns:1fr 1fr}
.card,.tile,figure,tr{break-inside:avoid}h2{break-after:avoid}.scroll,pre{overflow:visible}pre{white-space:pre-wrap}}
)css";

}  // namespace conclave
