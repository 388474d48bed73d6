// Stands in for import.cpp where ITK is not installed.
#include "base/error.h"
#include "import/import.h"

namespace attune {

ImportReport import_images(const ImportOptions&) {
  throw ConfigError(
      "this attune-import was built without ITK, which decodes images. In the source tree, "
      "`scripts/attune import ...` installs what it needs and builds it");
}

}  // namespace attune
