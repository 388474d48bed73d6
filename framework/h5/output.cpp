#include "h5/output.h"

#include <filesystem>

#include "base/output_file.h"
#include "h5/h5.h"

namespace attune {
namespace {

bool has_schema(const std::string& path, std::string_view schema) {
  if (!H5File::recognises(path)) return false;
  try {
    const H5File file = H5File::open(path);
    const H5Group& root = file.root();
    return root.has_attribute("schema") && root.attribute_info("schema").type == H5Type::text &&
           root.text_attribute("schema") == schema;
  } catch (const Error&) {  // damaged: who knows what it was
    return false;
  }
}

}  // namespace

void check_h5_output(const std::string& path, std::string_view schema,
                     const std::vector<std::string>& inputs) {
  check_output(path, inputs);
  std::error_code none;
  if (!std::filesystem::exists(path, none) || std::filesystem::file_size(path, none) == 0) return;
  ATTUNE_CHECK(has_schema(path, schema), ConfigError,
               "-o {} is there already, and is no file of schema {}, which alone would be "
               "replaced; remove it, or name another file",
               path, schema);
}

}  // namespace attune
