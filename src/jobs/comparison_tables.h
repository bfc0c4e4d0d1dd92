#pragma once

#include <string>

#include "jobs/comparison.h"

namespace conclave {

// The tables of a comparison's page; empty where nothing is known. Methods in the order written; the style of a method
// (svg_chart.h) is its place. AP in points of 100.

// Mean AP and AP50 with their intervals, and the paired difference to the baseline, drawn on one scale.
std::string score_table_html(const Comparison& comparison);
// The difference of every pair of methods, folded; empty for two methods.
std::string pairs_html(const Comparison& comparison);
// The scores for each class, as a card; folded where there are many.
std::string class_tables_html(const Comparison& comparison);
// What students keep of their teachers' AP, as a share and as a difference, and how much of the gap between the lower
// and the upper method they close.
std::string retention_table_html(const Comparison& comparison);
std::string cost_table_html(const Comparison& comparison);
// The AP of every single run.
std::string runs_table_html(const Comparison& comparison);
// What each method is.
std::string method_table_html(const Comparison& comparison);

}  // namespace conclave
