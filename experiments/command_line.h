#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <string>
#include <vector>

#include "experiments/experiment_spec.h"

namespace kshot {

namespace po = boost::program_options;
using Arguments = po::variables_map;

/// One command of the program: `kshot NAME ...`. Options and help come from the same description.
struct Command {
  std::string name, summary;
  std::string usage;                         ///< one line after "kshot ": "run SPEC [options]"
  std::string details = {};                  ///< further help: what it writes, an example
  std::vector<std::string> positional = {};  ///< option names that stand for bare words, in order;
                                             ///< the last one takes all that remain if it is a list
  po::options_description options{"Options"};
  std::function<int(const Arguments&)> run = {};
};

/// Parses `words` (after the command's name) and runs it; handles --help.
/// Throws Error(bad_spec) for an unknown option, with the nearest known name.
int run_command(const Command& command, const std::vector<std::string>& words);

/// --set, --device, --threads, --results, --quiet: taken by every command that computes.
void add_compute_options(po::options_description& options);
/// --set alone, for commands that read a spec and compute nothing.
void add_spec_option(po::options_description& options);
/// --json: one JSON document on stdout in place of a table.
void add_json_option(po::options_description& options);

std::vector<SpecEdit> edits_of(const Arguments& arguments);
/// --threads, or as many as there are processors.
int threads_of(const Arguments& arguments);
bool flag(const Arguments& arguments, const char* name);

/// The value of an option that must be given. Throws Error(bad_spec) with the command's usage.
std::string required(const Arguments& arguments, const char* name, const std::string& usage);

/// Columns on the screen: a UTF-8 sequence counts once.
size_t text_width(const std::string& text);
/// A table for people: columns padded to their widest cell, numbers to the right.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace kshot
