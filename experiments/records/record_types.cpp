#include "experiments/records/record_types.h"

#include "experiments/json_types.h"
#include "framework/base/error.h"

namespace kshot {

void check_result_types(const Json& result, const std::filesystem::path& file) {
  check_types(result, file.string() + ": ", Exit::bad_data,
              {{"/run", JsonType::object},
               {"/run/source_id", JsonType::text},
               {"/run/dirty", JsonType::truth},
               {"/run/finished", JsonType::text},
               {"/data", JsonType::object},
               {"/algorithm", JsonType::object},
               {"/algorithm/name", JsonType::text},
               {"/algorithm/paper", JsonType::text},
               {"/algorithm/transductive", JsonType::truth},
               {"/paper", JsonType::object},
               {"/paper/comparable", JsonType::truth},
               {"/paper/source", JsonType::text},
               {"/deviations", JsonType::list},
               {"/train", JsonType::object},
               {"/train/iterations", JsonType::number},
               {"/train/best_iteration", JsonType::number},
               {"/train/seconds", JsonType::number},
               {"/test", JsonType::object}});
}

void check_spec_types(const Json& spec, const std::filesystem::path& file) {
  check_types(spec, file.string() + ": ", Exit::bad_data,
              {{"/name", JsonType::text},
               {"/algorithm", JsonType::object},
               {"/algorithm/name", JsonType::text},
               {"/backbone", JsonType::object},
               {"/dataset", JsonType::object},
               {"/episodes", JsonType::object},
               {"/episodes/train", JsonType::object},
               {"/episodes/validation", JsonType::object},
               {"/episodes/test", JsonType::object},
               {"/train", JsonType::object}});
}

void check_env_types(const Json& env, const std::filesystem::path& file) {
  check_types(env, file.string() + ": ", Exit::bad_data,
              {{"/git_commit", JsonType::text},
               {"/dirty", JsonType::truth},
               {"/cpu", JsonType::text},
               {"/device", JsonType::text},
               {"/gpu", JsonType::text},
               {"/kshot", JsonType::text},
               {"/libtorch", JsonType::text},
               {"/compiler", JsonType::text},
               {"/data_sha256", JsonType::list}});
}

}  // namespace kshot
