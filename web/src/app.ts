// What every page needs: htmx, partial refreshes that keep focus, and small behaviours found by data attributes.
import htmx from "htmx.org";
import { installMorph } from "./morph";
import { installControls } from "./controls";
import { installLive } from "./live";
import { installRetry } from "./retry";
import { installTabs } from "./tabs";
import { installToasts } from "./toasts";

htmx.config.includeIndicatorStyles = false; // would be an inline style, which our policy forbids
htmx.config.allowEval = false;
htmx.config.historyCacheSize = 0; // pages may hold what another account must not see on this machine
htmx.config.refreshOnHistoryMiss = true;
htmx.config.scrollIntoViewOnBoost = false;

installMorph();
installControls();
installTabs();
installToasts();
installLive();
installRetry();
