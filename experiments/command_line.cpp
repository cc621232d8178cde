#include "experiments/command_line.h"

#include <algorithm>
#include <thread>

#include "framework/base/error.h"

namespace kshot {
namespace {

std::vector<std::string> option_names(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back("--" + option->long_name());
  return names;
}

void print_help(const Command& command) {
  fmt::print("usage: kshot {}\n\n{}\n", command.usage, command.summary);
  if (!command.details.empty()) fmt::print("\n{}\n", command.details);
  std::ostringstream options;
  options << command.options;
  fmt::print("\n{}", options.str());
}

Arguments parse(const Command& command, const std::vector<std::string>& words) {
  po::options_description all;
  all.add(command.options);
  po::options_description hidden;
  po::positional_options_description positional;
  for (size_t i = 0; i < command.positional.size(); ++i) {
    const std::string& name = command.positional[i];
    const bool list = i + 1 == command.positional.size() && name.ends_with("...");
    const std::string plain = list ? name.substr(0, name.size() - 3) : name;
    if (list) {
      hidden.add_options()(plain.c_str(), po::value<std::vector<std::string>>());
    } else {
      hidden.add_options()(plain.c_str(), po::value<std::string>());
    }
    positional.add(plain.c_str(), list ? -1 : 1);
  }
  all.add(hidden);
  Arguments arguments;
  const int style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
  po::store(po::command_line_parser(words).options(all).positional(positional).style(style).run(),
            arguments);
  po::notify(arguments);
  return arguments;
}

}  // namespace

int run_command(const Command& command, const std::vector<std::string>& words) {
  Command with_help = command;
  with_help.options.add_options()("help,h", "show this text");
  Arguments arguments;
  try {
    arguments = parse(with_help, words);
  } catch (const po::unknown_option& problem) {
    const auto names = option_names(with_help.options);
    throw Error(Exit::bad_spec, "unknown option \"{}\"{}; see kshot {} --help",
                problem.get_option_name(), did_you_mean(problem.get_option_name(), names),
                command.name);
  } catch (const po::error& problem) {
    throw Error(Exit::bad_spec, "{}; see kshot {} --help", problem.what(), command.name);
  }
  if (arguments.count("help") > 0) {
    print_help(with_help);
    return 0;
  }
  return command.run(arguments);
}

void add_spec_option(po::options_description& options) {
  options.add_options()(
      "set", po::value<std::vector<std::string>>()->composing()->value_name("PATH=VALUE"),
      "change one value of the spec, as in train.iterations=100; may be repeated");
}

void add_compute_options(po::options_description& options) {
  add_spec_option(options);
  options.add_options()("device",
                        po::value<std::string>()->default_value("auto")->value_name("DEVICE"),
                        "auto, cpu, cuda or cuda:<number>")(
      "threads", po::value<int>()->value_name("N"), "task threads; never changes a number")(
      "results", po::value<std::string>()->default_value("results")->value_name("DIR"),
      "where run folders are made")("quiet", "no progress on stderr");
}

void add_json_option(po::options_description& options) {
  options.add_options()("json", "one JSON document on stdout");
}

std::vector<SpecEdit> edits_of(const Arguments& arguments) {
  std::vector<SpecEdit> edits;
  if (arguments.count("set") == 0) return edits;
  for (const std::string& text : arguments["set"].as<std::vector<std::string>>())
    edits.push_back(parse_edit(text));
  return edits;
}

int threads_of(const Arguments& arguments) {
  if (arguments.count("threads") == 0)
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = arguments["threads"].as<int>();
  if (threads < 1 || threads > 1024)
    throw Error(Exit::bad_spec, "--threads is {}, expected 1 to 1024", threads);
  return threads;
}

bool flag(const Arguments& arguments, const char* name) { return arguments.count(name) > 0; }

std::string required(const Arguments& arguments, const char* name, const std::string& usage) {
  if (arguments.count(name) == 0) {
    std::string bare = name;
    std::transform(bare.begin(), bare.end(), bare.begin(),
                   [](unsigned char c) { return std::toupper(c); });
    std::string missing = fmt::format("--{}", name);
    if (usage.find(missing) == std::string::npos)
      missing = usage.find(bare) == std::string::npos ? "an argument" : bare;
    throw Error(Exit::bad_spec, "{} is missing: usage: kshot {}", missing, usage);
  }
  return arguments[name].as<std::string>();
}

size_t text_width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

namespace {

bool is_number(const std::string& text) {
  constexpr std::string_view kSigns = "+-", kDigits = "0123456789";
  return !text.empty() &&
         (kSigns.find(text[0]) != kSigns.npos || kDigits.find(text[0]) != kDigits.npos) &&
         text.find_first_not_of("0123456789+-., %e") == std::string::npos;
}

}  // namespace

std::string text_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - text_width(row[i]), ' ');
      line += (i > 0 ? "  " : "") + (is_number(row[i]) ? space + row[i] : row[i] + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace kshot
