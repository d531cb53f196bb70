"use strict";

const place = document.getElementById("api");
SwaggerUIBundle({ url: place.dataset.url, domNode: place, deepLinking: true, tryItOutEnabled: true, validatorUrl: null });
