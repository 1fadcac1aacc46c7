select *
from {{ source('landing', 'page_views') }}
