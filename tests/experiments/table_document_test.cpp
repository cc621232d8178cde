// The same tables as text, Markdown, HTML and LaTeX.
#include "experiments/table/table_document.h"

#include <algorithm>
#include <map>

#include "framework/base/atomic_file.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"
#include "tests/experiments/written_record.h"

namespace kshot::table_document_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;
using test::write_record;

namespace {

/// Names with everything that a format may take for its own.
TableDocument document() {
  TableSection section{.title = "toy & co: 2-way", .subtitle = "tasks 0a1b"};
  section.columns = {
      {.title = "rank", .cells = {{"1", true}, {"2"}}},
      {.title = "method", .cells = {{"a_b*|<c>", true}, {"x--y #1 100% \\z"}}, .number = false},
      {.title = "empty", .cells = {{""}, {""}}},
      {.title = "best", .cells = {{"", true}, {"-1.50 +-  0.25"}}}};
  section.lists = {{.title = "Beyond noise", .items = {"a_b beats x (p < 0.001)"}}};
  section.notes = {"Accuracy in %: \"new\"."};
  return {.title = "Leaderboard", .sections = {section}, .notes = {"Unfinished: r_1."}};
}

}  // namespace

TEST_CASE("as text: columns side by side, empty ones left out") {
  CHECK(render_text(document(), false) ==
        "toy & co: 2-way\n"
        "tasks 0a1b\n"
        "\n"
        "rank   method                      best\n"
        "   1   a_b*|<c>\n"
        "   2   x--y #1 100% \\z   -1.50 +-  0.25\n"
        "\n"
        "Beyond noise:\n"
        "  a_b beats x (p < 0.001)\n"
        "\n"
        "Accuracy in %: \"new\".\n"
        "\n"
        "Unfinished: r_1.\n");
  const std::string bold = render_text(document(), true);
  CHECK(bold.find("\033[1m   1   a_b*|<c>\033[0m\n") != std::string::npos);
  CHECK(std::count(bold.begin(), bold.end(), '\033') == 2);
}

TEST_CASE("as text: a single best cell is bold by itself") {
  TableDocument one;
  one.sections = {{.title = "t",
                   .columns = {{.title = "a", .cells = {{"1"}}},
                               {.title = "b", .cells = {{"2", true}}},
                               {.title = "c", .cells = {{"3"}}}}}};
  CHECK(render_text(one, true).find("1   \033[1m2   \033[0m3\n") != std::string::npos);
}

TEST_CASE("as Markdown: what would be a mark is escaped, the best is bold") {
  CHECK(render_markdown(document()) ==
        "# Leaderboard\n"
        "\n"
        "## toy & co: 2-way\n"
        "\n"
        "tasks 0a1b\n"
        "\n"
        "| rank | method | best |\n"
        "| ---: | --- | ---: |\n"
        "| **1** | **a\\_b\\*\\|\\<c\\>** |  |\n"
        "| 2 | x--y #1 100% \\\\z | -1.50 ±  0.25 |\n"
        "\n"
        "Beyond noise:\n"
        "\n"
        "- a\\_b beats x (p \\< 0.001)\n"
        "\n"
        "Accuracy in %: \"new\".\n"
        "\n"
        "Unfinished: r\\_1.\n");
}

TEST_CASE(
    "as HTML: one page that asks for nothing from outside, with headings of rows and columns") {
  const std::string page = render_html(document());
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(page.find("<title>Leaderboard</title>") != std::string::npos);
  CHECK(page.find("<h2>toy &amp; co: 2-way</h2>") != std::string::npos);
  CHECK(page.find("<tr><td class=\"number best\">1</td>"
                  "<th scope=\"row\" class=\"best\">a_b*|&lt;c&gt;</th>"
                  "<td class=\"number best\"></td></tr>") != std::string::npos);
  CHECK(page.find("<td class=\"number\">-1.50 ±  0.25</td>") != std::string::npos);
  CHECK(page.find("<li>a_b beats x (p &lt; 0.001)</li>") != std::string::npos);
  CHECK(page.find("<p>Unfinished: r_1.</p>") != std::string::npos);
  CHECK(page.find(">empty<") == std::string::npos);
  for (const char* outside :
       {"http:", "https:", "src=", "stylesheet", "<script", "@import", "url("}) {
    CAPTURE(outside);
    CHECK(page.find(outside) == std::string::npos);
  }
}

TEST_CASE("as LaTeX: a booktabs table in which no name is a command") {
  CHECK(render_latex(document()) ==
        "% Leaderboard; needs \\usepackage{booktabs}\n"
        "% Unfinished: r_1.\n"
        "\n"
        "% tasks 0a1b\n"
        "% Beyond noise:\n"
        "%   a_b beats x (p < 0.001)\n"
        "\\begin{table}\n"
        "  \\centering\n"
        "  \\small\n"
        "  \\caption{toy \\& co: 2-way. Accuracy in \\%: ``new''.}\n"
        "  \\begin{tabular}{rlr}\n"
        "    \\toprule\n"
        "    rank & method & best \\\\\n"
        "    \\midrule\n"
        "    \\textbf{1} & \\textbf{a\\_b*$|$$<$c$>$} &  \\\\\n"
        "    2 & x-{}-y \\#1 100\\% \\textbackslash{}z & $-$1.50 $\\pm$  0.25 \\\\\n"
        "    \\bottomrule\n"
        "  \\end{tabular}\n"
        "\\end{table}\n");
}

TEST_CASE("the LaTeX compiles") {
  const TemporaryFolder folder;
  if (test::shell(folder.path(), "command -v pdflatex").code != 0) {
    MESSAGE("skipped: there is no pdflatex");
    return;
  }
  write_file_atomically(folder / "paper.tex",
                        "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" +
                            render_latex(document()) + "\\end{document}\n");
  const Outcome outcome =
      test::shell(folder.path(), "pdflatex -interaction=nonstopmode -halt-on-error paper.tex");
  INFO(outcome.out);
  CHECK(outcome.code == 0);
}

TEST_CASE("kshot leaderboard writes every format, to a file where one is named") {
  const TemporaryFolder folder;
  write_record(folder / "results", {});
  write_record(folder / "results", {.name = "beta", .id = "bbbbbbbbbbbb", .right = {1, 2, 3, 1}});
  std::map<std::string, std::string> formatted;
  for (const char* format : {"text", "md", "html", "tex", "json"}) {
    CAPTURE(format);
    const Outcome printed = kshot(folder.path(), {"leaderboard", "--format", format});
    CHECK(printed.code == 0);
    formatted[format] = printed.out;
    const Outcome written =
        kshot(folder.path(), {"leaderboard", "--format", format, "--out", "table"});
    CHECK(written.code == 0);
    CHECK(written.out.empty());
    CHECK(read_file(folder / "table") == printed.out);
  }
  CHECK(formatted["text"].starts_with("toy test: 2-way 1-shot"));
  CHECK(formatted["md"].find("| rank | method |") != std::string::npos);
  CHECK(formatted["tex"].find("\\toprule") != std::string::npos);
  CHECK(formatted["html"].starts_with("<!doctype html>"));
  CHECK(Json::parse(formatted["json"])["schema"] == "kshot.leaderboard/1");
  CHECK(kshot(folder.path(), {"leaderboard", "--json"}).out == formatted["json"]);
  // The same cells in all of them.
  for (const char* format : {"text", "md", "html", "tex"}) {
    CAPTURE(format);
    for (const char* cell : {"alpha", "beta", "70.00", "17.50"})
      CHECK(formatted[format].find(cell) != std::string::npos);
  }

  const Outcome unknown = kshot(folder.path(), {"leaderboard", "--format", "pdf"});
  CHECK(unknown.code == 2);
  CHECK(unknown.one_line_error());
  CHECK(unknown.err.find("\"pdf\", expected text, md, html, tex, json") != std::string::npos);
  CHECK(kshot(folder.path(), {"leaderboard", "--format", "md", "--json"}).code == 2);
  const Outcome nowhere = kshot(folder.path(), {"leaderboard", "--out", "no/such/folder/table"});
  CHECK(nowhere.code == 74);
  CHECK(nowhere.one_line_error());
}

}  // namespace kshot::table_document_test
