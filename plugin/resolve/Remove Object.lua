-- Cleans the clip under the playhead: click on a page what is to go, wait, and it is gone.
local state_folder = require("cleanplate.config").state_folder(require("cleanplate_config").state_folder)
require("cleanplate.menu").remove(resolve, state_folder)
