// A few test tasks as they were: pictures with the answers, or curves.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "experiments/html_page.h"
#include "experiments/report/report.h"
#include "experiments/report/task_pictures.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr size_t kMostQueries = 8;  ///< drawn of a class; mistakes come first
constexpr size_t kMostClasses = 10;

/// A test task worth a look, and why.
struct Example {
  std::string why;
  size_t episode;
};

/// The middle of all by score, the lower quartile and the worst; each task once.
std::vector<Example> examples_of(const RecordedRun& record) {
  const Score& score = score_of(record.tasks.kind);
  std::vector<size_t> order(record.scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return score.better(record.scores[a], record.scores[b]);
  });
  std::vector<Example> examples;
  const auto add = [&](const char* why, size_t place) {
    const size_t episode = order[place];
    if (std::none_of(examples.begin(), examples.end(),
                     [&](const Example& e) { return e.episode == episode; }))
      examples.push_back({why, episode});
  };
  add("a typical task", order.size() / 2);
  add("a harder task: three of four came out better", order.size() * 3 / 4);
  add("the worst of all tasks", order.size() - 1);
  return examples;
}

std::string example_title(const Example& example, const RecordedRun& record) {
  const Score& score = score_of(record.tasks.kind);
  return fmt::format("Task {}: {}, {}", example.episode, score.told(record.scores[example.episode]),
                     example.why);
}

std::string picture(const Tensor& image, const std::string& css, const std::string& description,
                    const std::string& below) {
  return fmt::format(
      "<figure class=\"{}\"><img src=\"{}\" alt=\"{}\" width=\"{}\" height=\"{}\">{}</figure>", css,
      png_address(image), html_escape(description), image.size(2), image.size(1),
      below.empty() ? "" : "<figcaption>" + html_escape(below) + "</figcaption>");
}

/// The queries of a label to be drawn, in order: all mistakes that fit, then right ones.
std::vector<size_t> drawn_queries(const EpisodeOutcome& episode, int64_t label) {
  std::vector<size_t> wrong, right;
  for (size_t q = 0; q < episode.plan.query_labels.size(); ++q) {
    if (episode.plan.query_labels[q] != label) continue;
    (episode.predictions[q] == label ? right : wrong).push_back(q);
  }
  wrong.insert(wrong.end(), right.begin(), right.end());
  if (wrong.size() > kMostQueries) wrong.resize(kMostQueries);
  std::sort(wrong.begin(), wrong.end());
  return wrong;
}

/// One class of a task: its name, its support images, its queries.
std::string class_row(const EpisodeOutcome& episode, const Json& classes,
                      const TaskPictures& pictures, int64_t label) {
  const TaskPlan& plan = episode.plan;
  const auto name = [&](int64_t of) {
    const auto entry = static_cast<size_t>(plan.classes[static_cast<size_t>(of)]);
    return classes.at(entry).at("name").get<std::string>();
  };
  int64_t asked = 0, right = 0;
  for (size_t q = 0; q < plan.query_labels.size(); ++q) {
    if (plan.query_labels[q] != label) continue;
    ++asked;
    right += episode.predictions[q] == label;
  }
  std::string support, queries;
  for (size_t s = 0; s < plan.support_labels.size(); ++s) {
    if (plan.support_labels[s] != label) continue;
    support += picture(pictures.support[static_cast<int64_t>(s)], "given",
                       "support image of " + name(label), "");
  }
  for (const size_t q : drawn_queries(episode, label)) {
    const int64_t answer = episode.predictions[q];
    const Tensor image = pictures.query[static_cast<int64_t>(q)];
    if (answer == label) {
      queries += picture(image, "right", "query image, rightly taken for " + name(answer), "✓");
    } else {
      queries += picture(image, "wrong", "query image, wrongly taken for " + name(answer),
                         fmt::format("✗ {}", answer + 1));
    }
  }
  return fmt::format(
      "<tr><th scope=\"row\">{} {}<br><span class=\"quiet\">{} of {} right</span></th><td>{}</td>"
      "<td>{}</td></tr>\n",
      label + 1, html_escape(name(label)), right, asked, support, queries);
}

/// Classes with mistakes come first where not all can be drawn.
std::vector<int64_t> drawn_classes(const EpisodeOutcome& episode) {
  std::vector<int64_t> mistakes(static_cast<size_t>(episode.plan.outputs));
  for (size_t q = 0; q < episode.predictions.size(); ++q) {
    const int64_t label = episode.plan.query_labels[q];
    mistakes[static_cast<size_t>(label)] += episode.predictions[q] != label;
  }
  std::vector<int64_t> labels(mistakes.size());
  std::iota(labels.begin(), labels.end(), int64_t{0});
  std::stable_sort(labels.begin(), labels.end(), [&](int64_t a, int64_t b) {
    return mistakes[static_cast<size_t>(a)] > mistakes[static_cast<size_t>(b)];
  });
  if (labels.size() > kMostClasses) labels.resize(kMostClasses);
  std::sort(labels.begin(), labels.end());
  return labels;
}

std::string task_table(const std::string& title, const EpisodeOutcome& episode, const Json& classes,
                       const TaskPictures& pictures) {
  std::string rows;
  const std::vector<int64_t> labels = drawn_classes(episode);
  for (const int64_t label : labels) rows += class_row(episode, classes, pictures, label);
  std::string caption = title;
  if (static_cast<int64_t>(labels.size()) < episode.plan.outputs)
    caption += fmt::format("; {} of its {} classes", labels.size(), episode.plan.outputs);
  return fmt::format(
      "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{0}\"><table "
      "class=\"pictures\"><caption>{0}</caption>\n<thead><tr><th scope=\"col\">class</th><th "
      "scope=\"col\">support</th><th scope=\"col\">queries</th></tr></thead>\n<tbody>{1}</tbody>"
      "</table></div>\n",
      html_escape(caption), rows);
}

/// Pictures of a run's tasks. Throws Error where there can be none.
std::string pictures_of(const ReportRun& run) {
  const RecordedRun& record = *run.record;
  const std::vector<EpisodeOutcome> episodes = tested_episodes(run);
  const std::vector<Example> examples = examples_of(record);
  std::vector<TaskPlan> plans;
  for (const Example& example : examples) plans.push_back(episodes[example.episode].plan);
  const std::vector<TaskPictures> pictures = draw_tasks(record, plans);
  std::string html;
  for (size_t i = 0; i < examples.size(); ++i) {
    html += task_table(example_title(examples[i], record), episodes[examples[i].episode],
                       record.data.at("test_classes"), pictures[i]);
  }
  return html;
}

std::string picture_text(const Report& report, const ReportRun& run) {
  if (!report.options.images) return paragraph("Left out as --no-images asked.", "quiet");
  try {
    std::string text =
        "A tick marks a query that was answered right; a cross, with the number of the class it "
        "was "
        "taken for, one that was not. Of each class ";
    text += fmt::format("at most {} queries are drawn, mistakes first.", kMostQueries);
    if (report.runs.size() > 1) text += fmt::format(" Answers are those of {}.", run.label);
    return paragraph(text, "quiet") + pictures_of(run);
  } catch (const Error& problem) {
    return paragraph(fmt::format("There are no pictures: {}.", problem.what()), "note");
  }
}

/// A sinusoid's values: amplitude, phase, then x of each point.
double x_of(const TaskPlan& plan, int64_t number) {
  return plan.values.at(2 + static_cast<size_t>(number));
}

double curve_at(const TaskPlan& plan, double x) {
  return plan.values.at(0) * std::sin(x - plan.values.at(1));
}

/// One run's answers to a task, by rising x.
std::vector<Point> answers_of(const EpisodeOutcome& episode) {
  std::vector<Point> points;
  for (size_t q = 0; q < episode.plan.query.size(); ++q)
    points.push_back(
        {x_of(episode.plan, episode.plan.query[q]), episode.regression.value().predictions.at(q)});
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  return points;
}

std::vector<Point> support_of(const TaskPlan& plan) {
  std::vector<Point> points;
  for (const int64_t number : plan.support) {
    const double x = x_of(plan, number);
    points.push_back({x, curve_at(plan, x)});
  }
  return points;
}

std::vector<Point> true_curve(const TaskPlan& plan, const Range& x) {
  constexpr int kSteps = 100;
  std::vector<Point> points;
  for (int i = 0; i <= kSteps; ++i) {
    const double at = x.low + (x.high - x.low) * i / kSteps;
    points.push_back({at, curve_at(plan, at)});
  }
  return points;
}

/// The answers of one run to all tasks, with its colour.
struct Answers {
  const ReportRun* run;
  std::vector<EpisodeOutcome> episodes;
};

std::string curve_chart(const Report& report, const std::vector<Answers>& all,
                        const std::string& title, size_t episode) {
  const TaskPlan& plan = all[0].episodes[episode].plan;
  Range x, y;
  for (size_t i = 2; i < plan.values.size(); ++i) x.include(plan.values[i]);
  x = x.padded(0.03);
  const std::vector<Point> truth = true_curve(plan, x), support = support_of(plan);
  for (const Point& point : truth) y.include(point.y);
  for (const Answers& answers : all) {
    for (const Point& point : answers_of(answers.episodes[episode])) y.include(point.y);
  }
  Chart chart(title, {.title = "x", .range = x}, {.title = "y", .range = y.padded(0.06)});
  chart.line(truth, "truth");
  for (const Answers& answers : all) {
    const int series = report.series(*answers.run);
    const std::vector<Point> points = answers_of(answers.episodes[episode]);
    chart.line(points, fmt::format("thin s{}", series));
    chart.marks(points, series, fmt::format("s{}", series), 3);
  }
  chart.marks(support, 0, "support", 6);
  return figure(chart.svg(), title);
}

/// Tasks of sinusoids as curves, with the answers of all runs that met them.
std::string curves_text(const Report& report, const ReportRun& first) {
  std::vector<Answers> all;
  for (const ReportRun* run : report.tested()) {
    if (run->record->tasks == first.record->tasks) all.push_back({run, tested_episodes(*run)});
  }
  std::string charts;
  for (const Example& example : examples_of(*first.record))
    charts += curve_chart(report, all, example_title(example, *first.record), example.episode);
  std::string text =
      "Broad line: the true curve; large open circles: the support points; marks: what was "
      "answered "
      "to the queries.";
  if (all.size() > 1) text += fmt::format(" Tasks are chosen by the errors of {}.", first.label);
  return paragraph(text, "quiet") + legend(report) + "<div class=\"charts\">\n" + charts +
         "</div>\n";
}

}  // namespace

Section tasks_section(const Report& report) {
  const std::vector<const ReportRun*> tested = report.tested();
  if (tested.empty()) return {};
  const bool best_tested = report.best().finished() && report.series(report.best()) >= 0;
  const ReportRun& run = best_tested ? report.best() : *tested[0];
  if (run.kind() == TaskKind::classification)
    return {"examples", "Some test tasks", picture_text(report, run)};
  if (run.record->tasks.data != "sinusoid") return {};
  return {"examples", "Some test tasks", curves_text(report, run)};
}

}  // namespace kshot
