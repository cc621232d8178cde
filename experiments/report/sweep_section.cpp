// What settings did to the score, where several runs differ in them.
#include <algorithm>
#include <cmath>

#include "experiments/html_page.h"
#include "experiments/report/main_effects.h"
#include "experiments/report/report.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr size_t kFewestRuns = 3, kMostSettings = 8, kMostLevels = 8;

std::vector<Json> specs_of(const Report& report) {
  std::vector<Json> specs;
  for (const ReportRun& run : report.runs) specs.push_back(run.spec);
  return specs;
}

bool one_algorithm(const Report& report) {
  return std::all_of(report.runs.begin(), report.runs.end(), [&](const ReportRun& run) {
    return run.algorithm() == report.runs[0].algorithm();
  });
}

/// Where an effect's level is drawn: numbers to scale where there are many, else side by side.
std::vector<double> places_of(const MainEffect& effect) {
  std::vector<double> places;
  for (size_t i = 0; i < effect.levels.size(); ++i) {
    const auto value = numeric(effect.levels[i].value);
    places.push_back(effect.levels.size() > kMostLevels && value ? *value : static_cast<double>(i));
  }
  return places;
}

bool to_scale(const MainEffect& effect) {
  return effect.levels.size() > kMostLevels &&
         std::all_of(effect.levels.begin(), effect.levels.end(),
                     [](const Level& level) { return numeric(level.value).has_value(); });
}

std::string short_text(const std::string& text, size_t most) {
  return text.size() <= most ? text : text.substr(0, most - 1) + "…";
}

Axis level_axis(const MainEffect& effect) {
  Axis axis{.title = effect.setting.name, .range = {}};
  for (const double place : places_of(effect)) axis.range.include(place);
  if (!to_scale(effect)) {
    axis.range = {axis.range.low - 0.5, axis.range.high + 0.5};
    const size_t letters = 56 / effect.levels.size();
    for (size_t i = 0; i < effect.levels.size(); ++i) {
      const std::string& value = effect.levels[i].value;
      axis.named_ticks.emplace_back(
          static_cast<double>(i),
          short_text(value.empty() ? "-" : value, std::max<size_t>(letters, 4)));
    }
    return axis;
  }
  axis.logarithmic = axis.range.low > 0 && axis.range.high / axis.range.low > 50;
  if (axis.logarithmic) {
    axis.range = {axis.range.low / 1.2, axis.range.high * 1.2};
  } else {
    axis.range = axis.range.padded(0.05);
  }
  return axis;
}

std::string effect_chart(const MainEffect& effect, const Score& score, const Axis& y) {
  Chart chart(fmt::format("{} by {}", y.title, effect.setting.name), level_axis(effect), y, 480,
              280);
  const std::vector<double> places = places_of(effect);
  std::vector<Point> means, single;
  for (size_t i = 0; i < effect.levels.size(); ++i) {
    for (const double value : effect.levels[i].scores)
      single.push_back({places[i], axis_value(score, value)});
    means.push_back({places[i], axis_value(score, effect.levels[i].summary.mean)});
  }
  chart.marks(single, 0, "faint s0", 3);
  if (!to_scale(effect)) {
    chart.line(means, "s0");
    for (size_t i = 0; i < means.size(); ++i) {
      chart.mark(means[i], 0, "s0",
                 fmt::format("{} {}: mean {} of {}", effect.setting.name, effect.levels[i].value,
                             score.told(effect.levels[i].summary.mean),
                             counted(effect.levels[i].scores.size(), "run", "runs")),
                 5);
    }
  }
  return figure(chart.svg(), fmt::format("{}: up to {}{} between means", effect.setting.name,
                                         score.number(effect.size), score.difference_unit));
}

std::string effects_table(const std::vector<MainEffect>& effects, const Score& score) {
  HtmlTable table("Mean " + score.name + " by setting", {{"setting"},
                                                         {"value"},
                                                         {"runs", true},
                                                         {"mean", true},
                                                         {"standard deviation", true},
                                                         {"best run", true}});
  for (const MainEffect& effect : effects) {
    for (const Level& level : effect.levels) {
      const auto best = *std::min_element(level.scores.begin(), level.scores.end(),
                                          [&](double a, double b) { return score.better(a, b); });
      table.row({effect.setting.name, level.value.empty() ? "-" : level.value,
                 std::to_string(level.scores.size()), score.number(level.summary.mean),
                 level.summary.std ? score.number(*level.summary.std) : "", score.number(best)});
    }
  }
  return table.html();
}

/// One upright axis of the parallel coordinates.
struct Upright {
  std::string title;
  std::vector<double> shares;  ///< of each run: 0 at the foot, 1 at the top
  std::vector<std::pair<double, std::string>> ticks;
};

double share_in(const Range& range, double value) {
  return range.high > range.low ? (value - range.low) / (range.high - range.low) : 0.5;
}

Upright upright_of(const MainEffect& effect) {
  Upright upright{.title = effect.setting.name, .shares = {}, .ticks = {}};
  const Axis axis = level_axis(effect);
  const auto at = [&](double value) {
    if (!axis.logarithmic) return share_in(axis.range, value);
    return share_in({std::log(axis.range.low), std::log(axis.range.high)}, std::log(value));
  };
  const std::vector<double> places = places_of(effect);
  for (const std::string& value : effect.setting.values) {
    const auto level = std::find_if(effect.levels.begin(), effect.levels.end(),
                                    [&](const Level& l) { return l.value == value; });
    upright.shares.push_back(at(places[static_cast<size_t>(level - effect.levels.begin())]));
  }
  for (const auto& [value, label] : axis.ticks(5))
    upright.ticks.emplace_back(at(value), short_text(label, 12));
  return upright;
}

Upright upright_of(const Outcome& outcome, const Score& score) {
  Upright upright{.title = outcome.text() + " " + axis_title(score), .shares = {}, .ticks = {}};
  Range range;
  for (const double value : outcome.scores) range.include(axis_value(score, value));
  range = range.padded(0.05);
  for (const double value : outcome.scores)
    upright.shares.push_back(share_in(range, axis_value(score, value)));
  for (const double tick : nice_ticks(range.low, range.high, 5))
    upright.ticks.emplace_back(share_in(range, tick), tick_label(tick));
  return upright;
}

/// A line for each run through its values; the better a run, the more it stands out.
std::string parallel_coordinates(const Report& report, const std::vector<Upright>& uprights) {
  constexpr double kStep = 128, kLeft = 60, kHead = 46, kHeight = 250;
  const auto x = [&](size_t i) { return kLeft + kStep * static_cast<double>(i); };
  const auto y = [&](double share) { return kHead + (1 - share) * kHeight; };
  const double width = x(uprights.size() - 1) + 90;
  std::string svg = fmt::format(
      "<svg class=\"chart parallel\" viewBox=\"0 0 {0} {1}\" style=\"min-width:{2:.0f}px;"
      "max-width:{3:.0f}px\" "
      "role=\"img\"><title>Settings and {4} of each run as a line from axis to axis</title>\n",
      width, kHead + kHeight + 16, 0.8 * width, 1.25 * width, html_escape(uprights.back().title));
  const size_t leading = std::max<size_t>(1, report.order.size() / 4);
  for (size_t place = report.order.size(); place-- > 0;) {
    const size_t run = report.order[place];
    std::string path;
    for (size_t i = 0; i < uprights.size(); ++i) {
      path += fmt::format("{}{:.1f} {:.1f}", i == 0 ? 'M' : 'L', x(i), y(uprights[i].shares[run]));
    }
    const char* css = place == 0 ? "first" : place < leading ? "leading" : "rest";
    svg += fmt::format("<path class=\"line {}\" d=\"{}\"><title>{}: {}</title></path>\n", css, path,
                       html_escape(report.runs[run].label),
                       report.runs[run].score().told(report.outcome.scores[run]));
  }
  for (size_t i = 0; i < uprights.size(); ++i) {
    svg += fmt::format(
        "<path class=\"axis\" d=\"M{0:.1f} {1}v{2}\"/><text class=\"axis-title\" x=\"{0:.1f}\" "
        "y=\"{3}\" text-anchor=\"middle\">{4}</text>\n",
        x(i), kHead, kHeight, i % 2 == 0 ? 30 : 14, html_escape(short_text(uprights[i].title, 30)));
    for (const auto& [share, label] : uprights[i].ticks) {
      svg += fmt::format(
          "<text class=\"halo\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
          x(i) - 5, y(share) + 4.5, html_escape(label));
    }
  }
  return "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Parallel coordinates\">" +
         figure(svg + "</svg>\n",
                fmt::format("Each line is a run, from its settings to its {}. Thick: the best; "
                            "coloured: the best quarter.",
                            report.outcome.text())) +
         "</div>\n";
}

std::string runs_table(const Report& report, const std::vector<MainEffect>& effects) {
  std::vector<HtmlTable::Column> columns{{"run"}};
  for (const MainEffect& effect : effects) columns.push_back({effect.setting.name, true});
  columns.push_back({report.outcome.text(), true});
  HtmlTable table("Every run with its settings", columns);
  for (const size_t i : report.order) {
    std::vector<Cell> cells{report.runs[i].id};
    for (const MainEffect& effect : effects) cells.emplace_back(effect.setting.values[i]);
    cells.emplace_back(report.runs[i].score().number(report.outcome.scores[i]));
    table.row(std::move(cells));
  }
  return folded("The runs as numbers", table.html());
}

Axis score_axis(const Report& report) {
  const Score& score = report.best().score();
  Range range;
  for (const double value : report.outcome.scores) range.include(axis_value(score, value));
  range = range.padded(0.08);
  if (score.percent) range.high = std::min(range.high, 100.0);
  return {.title = report.outcome.text() + " " + axis_title(score), .range = range};
}

}  // namespace

Section sweep_section(const Report& report) {
  if (report.runs.size() < kFewestRuns || report.outcome.kind == Outcome::Kind::none ||
      !one_algorithm(report))
    return {};
  const std::vector<MainEffect> effects =
      main_effects(differing_settings(specs_of(report)), report.outcome.scores);
  const bool seeds_alone = effects.empty() || effects[0].setting.path == "seed";
  if (seeds_alone || effects.size() > kMostSettings) return {};
  const Score& score = report.best().score();
  std::string charts;
  const Axis y = score_axis(report);
  for (const MainEffect& effect : effects) charts += effect_chart(effect, score, y);
  std::vector<Upright> uprights;
  for (const MainEffect& effect : effects) uprights.push_back(upright_of(effect));
  uprights.push_back(upright_of(report.outcome, score));
  return {"settings", "What the settings do",
          paragraph(fmt::format("Main effects on the {} {}: a large mark is the mean over all runs "
                                "with that value, whatever their other settings; small ones are "
                                "runs. Where not every combination was run, a mean also holds what "
                                "the other settings did.",
                                report.outcome.text(), score.name),
                    "quiet") +
              "<div class=\"charts\">\n" + charts + "</div>\n" +
              folded("The main effects as numbers", effects_table(effects, score)) +
              "<h3>All settings at once</h3>\n" + parallel_coordinates(report, uprights) +
              runs_table(report, effects)};
}

}  // namespace kshot
