-- Shows the original again in the clip under the playhead.
require("cleanplate.menu").restore(resolve)
